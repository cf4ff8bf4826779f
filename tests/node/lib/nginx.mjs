// SPDX-License-Identifier: Apache-2.0
//
// Debian's nginx as a reverse proxy in front of a node, configured as people do it: `keepalive 32` towards the node,
// and upgrades passed on. It listens on a unix socket in a folder of its own, so there is no port to guess.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { Connection } from './socket.mjs'
import { temporaryFolder } from './trouped.mjs'
import { eventually, within } from './wait.mjs'

/** The name by which clients know the proxy; the node must be told --allow-host. */
export const PROXY_HOST = 'app.example'

const configuration = (folder, socket, port) => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log warn;
worker_rlimit_nofile 8192;
events { worker_connections 8000; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream node { server 127.0.0.1:${port}; keepalive 32; }
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen unix:${socket};
    location / {
      proxy_pass http://node;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      proxy_read_timeout 1h;
    }
  }
}
`

function program() {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  const found = folders.map((folder) => path.join(folder, 'nginx')).find((file) => existsSync(file))
  assert.ok(found, 'nginx is missing; on Debian: apt-get install nginx-light')
  return found
}

/** Start nginx before the node: {path, errors()}; path is a unix socket that takes HTTP. */
export async function startNginx(t, node) {
  const folder = path.join(temporaryFolder(t), 'nginx')
  mkdirSync(folder)
  const socket = path.join(folder, 'http.sock')
  const file = path.join(folder, 'nginx.conf')
  writeFileSync(file, configuration(folder, socket, node.port))
  const child = spawn(program(), ['-e', 'stderr', '-p', folder, '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] })
  const nginx = { path: socket, errors: '' }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (nginx.errors += text))
  }
  const exited = new Promise((resolve) => child.once('close', resolve))
  t.after(async () => {
    child.kill('SIGTERM')
    await within(exited, 'the end of nginx').catch(() => child.kill('SIGKILL'))
  })
  const answers = async () => {
    assert.equal(child.exitCode, null, `nginx ended:\n${nginx.errors}`)
    if (!existsSync(socket)) return false
    const connection = await Connection.openPath(socket).catch(() => null)
    connection?.close()
    return connection !== null
  }
  await eventually(answers, 'nginx listens')
  return nginx
}
