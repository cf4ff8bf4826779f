// SPDX-License-Identifier: Apache-2.0
//
// Troupe installed, as by a package: below a folder of the test's own, with what pkg-config needs to find it there.

import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'

/** The folder below `root` that has a file of this name. */
function folderOf(root, name) {
  const found = readdirSync(root, { withFileTypes: true, recursive: true }).find((entry) => entry.name === name)
  if (!found) throw new Error(`make install has not installed ${name}`)
  return found.parentPath ?? found.path
}

/** Install what was built beside TROUPED: {bin, env} for a shell. */
export function install(root) {
  const build = path.dirname(path.resolve(process.env.TROUPED))
  const { MAKEFLAGS: _, MAKELEVEL: __, ...env } = process.env
  execFileSync('make', ['-s', '-C', build, 'install', `DESTDIR=${root}`], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  return {
    bin: folderOf(root, 'trouped'),
    env: { PKG_CONFIG_PATH: folderOf(root, 'troupe.pc'), PKG_CONFIG_SYSROOT_DIR: root },
  }
}
