// SPDX-License-Identifier: Apache-2.0
//
// A validator for the subset of JSON Schema 2020-12 that the node's documents use. A keyword that is not in the subset
// is an error of the document, so that a misspelt rule cannot pass by being ignored.

const annotations = new Set([
  'title',
  'description',
  'default',
  'example',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  '$schema',
  '$id',
  'format',
  'contentMediaType',
  '$comment',
])

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

const types = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  array: Array.isArray,
  object: isObject,
}

/** Each rule: (what the keyword says, the value, its path, the whole schema, check) -> errors. */
const rules = {
  $ref: (ref, value, at, schema, check) => check(resolve(ref, check.root), value, at),
  type: (names, value, at) =>
    [names].flat().some((name) => types[name](value))
      ? []
      : [`${at}: ${JSON.stringify(value)} is not of type ${names}`],
  enum: (values, value, at) =>
    values.some((one) => isSame(one, value))
      ? []
      : [`${at}: ${JSON.stringify(value)} is none of ${JSON.stringify(values)}`],
  const: (one, value, at) =>
    isSame(one, value) ? [] : [`${at}: ${JSON.stringify(value)} is not ${JSON.stringify(one)}`],
  minimum: (limit, value, at) => (!types.number(value) || value >= limit ? [] : [`${at}: ${value} < ${limit}`]),
  maximum: (limit, value, at) => (!types.number(value) || value <= limit ? [] : [`${at}: ${value} > ${limit}`]),
  minLength: (limit, value, at) =>
    !types.string(value) || [...value].length >= limit ? [] : [`${at}: shorter than ${limit}`],
  maxLength: (limit, value, at) =>
    !types.string(value) || [...value].length <= limit ? [] : [`${at}: longer than ${limit}`],
  contentEncoding: (name, value, at) =>
    name === 'base64' && (!types.string(value) || Buffer.from(value, 'base64').toString('base64') === value)
      ? []
      : [`${at}: not ${name}`],
  pattern: (text, value, at) =>
    !types.string(value) || new RegExp(text, 'u').test(value)
      ? []
      : [`${at}: ${JSON.stringify(value)} does not fit ${text}`],
  minItems: (limit, value, at) => (!types.array(value) || value.length >= limit ? [] : [`${at}: fewer than ${limit}`]),
  maxItems: (limit, value, at) => (!types.array(value) || value.length <= limit ? [] : [`${at}: more than ${limit}`]),
  uniqueItems: (on, value, at) =>
    !on || !types.array(value) || new Set(value.map((item) => JSON.stringify(item))).size === value.length
      ? []
      : [`${at}: an item twice`],
  items: (item, value, at, schema, check) =>
    types.array(value) ? value.flatMap((one, i) => check(item, one, `${at}/${i}`)) : [],
  required: (names, value, at) =>
    isObject(value) ? names.filter((name) => !(name in value)).map((name) => `${at}: ${name} is missing`) : [],
  properties: (properties, value, at, schema, check) =>
    isObject(value)
      ? Object.entries(properties).flatMap(([name, one]) =>
          name in value ? check(one, value[name], `${at}/${name}`) : [],
        )
      : [],
  additionalProperties: (rest, value, at, schema, check) =>
    isObject(value)
      ? Object.keys(value)
          .filter((name) => !(name in (schema.properties ?? {})))
          .flatMap((name) => check(rest, value[name], `${at}/${name}`))
      : [],
  allOf: (all, value, at, schema, check) => all.flatMap((one) => check(one, value, at)),
  anyOf: (any, value, at, schema, check) =>
    any.some((one) => check(one, value, at).length === 0) ? [] : [`${at}: fits none of anyOf`],
  oneOf: (any, value, at, schema, check) => {
    const fits = any.filter((one) => check(one, value, at).length === 0).length
    return fits === 1 ? [] : [`${at}: fits ${fits} of oneOf`]
  },
}

function isSame(a, b) {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** What a local reference such as #/components/schemas/Actor points to. */
export function resolve(ref, root) {
  if (!ref.startsWith('#/')) throw new Error(`$ref ${ref} is not local`)
  return ref
    .slice(2)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((node, part) => {
      if (!isObject(node) || !(part in node)) throw new Error(`$ref ${ref} points to nothing`)
      return node[part]
    }, root)
}

/** What is wrong with the value, as lines for people; none when it fits. References are looked up in root. */
export function validate(schema, document, root = schema) {
  function check(rule, value, path) {
    if (rule === true) return []
    if (rule === false) return [`${path}: not allowed`]
    return Object.entries(rule).flatMap(([keyword, says]) => {
      if (annotations.has(keyword)) return []
      if (!(keyword in rules)) throw new Error(`the schema uses ${keyword}, which is not in the subset`)
      return rules[keyword](says, value, path, rule, check)
    })
  }
  check.root = root
  return check(schema, document, '')
}
