// SPDX-License-Identifier: Apache-2.0
//
// Behaviors in shared objects, compiled by the test against the headers of this source tree.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const include = fileURLToPath(new URL('../../../actors/include', import.meta.url))
const compiler = process.env.CC?.split(' ').at(-1) || 'cc'

/** Compile a source text to folder/name.so, or to something else with other flags. */
export function compile(folder, name, source, { output = `${name}.so`, flags = ['-shared', '-fPIC'] } = {}) {
  const target = path.join(folder, output)
  const text = path.join(folder, `${name}.c`)
  writeFileSync(text, source)
  execFileSync(compiler, ['-Wall', '-Werror', `-I${include}`, ...flags, '-o', target, text], { stdio: 'inherit' })
  return target
}

const quoted = (text) => (text === null ? 'NULL' : JSON.stringify(typeof text === 'string' ? text : JSON.stringify(text)))

/** {"word": word, "n": integer from 1 to 9}, the first required: a schema to break. */
export const SCHEMA = {
  type: 'object',
  properties: { word: { type: 'string', minLength: 1 }, n: { type: 'integer', minimum: 1, maximum: 9 } },
  required: ['word'],
  additionalProperties: false,
}

/**
 * A behavior that answers `say` with its version, and fails when it is cast `crash`. `more` goes into its table, `before`
 * in front of it, `types` behind its message types, and `end` replaces the export.
 */
export function sourceOf({
  name = 'speaker', version = '1.0.0', schema = SCHEMA, args = null, before = '', types = '', more = '',
  end = 'TROUPE_EXPORT_BEHAVIORS(&behavior);',
} = {}) {
  return `#include <troupe/behavior.h>
${before}
static const troupe_type types[] = {
    {.name = "say", .body_schema = ${quoted(schema)}},
    {.name = "crash", .flags = TROUPE_TYPE_CAST},
    ${types}
};
static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    static const char text[] = "\\"${version}\\"";
    (void)state;
    if (msg->op == 1)
        return troupe_fail(ctx, TROUPE_E_INTERNAL, "it was told to");
    return msg->kind == TROUPE_MSG_CALL ? troupe_reply(ctx, troupe_body_json(text, sizeof text - 1)) : 0;
}
static const troupe_behavior behavior = {
    TROUPE_BEHAVIOR_HEAD, .name = ${quoted(name)}, .version = "${version}", .types = types,
    .types_count = sizeof types / sizeof types[0], .args_schema = ${quoted(args)}, .receive = receive, ${more}
};
${end}
`
}
