// SPDX-License-Identifier: Apache-2.0
//
// Requests that no honest client sends. Whatever two parsers could read in two ways is here: what one of them takes for
// the end of a request, the other takes for the middle, and that is how requests are smuggled.
//
// Each row: a name, the bytes, and the status of its refusal as the first request: 400 unless told. Rows whose head is
// fine and whose body is not (`isBody`) are for the HTTP library to refuse, in its own words.

const get = 'GET /version HTTP/1.1\r\n'
const post = 'POST /v1/actors/@target/call/echo HTTP/1.1\r\nHost: localhost\r\n'
const host = 'Host: localhost\r\n'
const end = '\r\n'
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n'

const row = (name, bytes, more = {}) => ({ name, bytes, status: 400, ...more })

/** A request whose one oddity is a header line, with nothing else wrong. */
const line = (name, text, more) => row(name, `${get}${host}${text}\r\n${end}`, more)

/** A POST with odd framing, and a request hidden behind it. */
const framed = (name, lines, body = '', more) =>
  row(name, `${post}${lines.map((text) => `${text}\r\n`).join('')}${end}${body}${smuggled}`, more)

/** A request line with nothing else wrong. */
const start = (name, text, more) => row(name, `${text}\r\n${host}${end}`, more)

const chunked = 'Transfer-Encoding: chunked'
const inChunks = (name, body) => framed(name, [chunked], body, { isBody: true })
const emptyBody = '0\r\n\r\n'

const lengths = [
  framed('two different lengths', ['Content-Length: 3', 'Content-Length: 40'], 'abc'),
  framed('two equal lengths', ['Content-Length: 3', 'Content-Length: 3'], 'abc'),
  framed('a list of lengths', ['Content-Length: 3, 3'], 'abc'),
  framed('length, then chunked', ['Content-Length: 5', chunked], emptyBody),
  framed('chunked, then length', [chunked, 'Content-Length: 5'], emptyBody),
  framed('a negative length', ['Content-Length: -3'], 'abc'),
  framed('a length with a plus', ['Content-Length: +3'], 'abc'),
  framed('a hexadecimal length', ['Content-Length: 0x3'], 'abc'),
  framed('an empty length', ['Content-Length:']),
  framed('a length in two parts', ['Content-Length: 1 2'], 'abc'),
  framed('a length with letters', ['Content-Length: 3abc'], 'abc'),
  framed('a length beyond 64 bits', ['Content-Length: 36893488147419103235'], 'abc'),
]

const codings = [
  framed('chunked twice', [chunked, chunked], emptyBody),
  framed('chunked, chunked', ['Transfer-Encoding: chunked, chunked'], emptyBody),
  framed('gzip before chunked', ['Transfer-Encoding: gzip, chunked'], emptyBody),
  framed('chunked is not the last coding', ['Transfer-Encoding: chunked, identity'], emptyBody),
  framed('an unknown coding', ['Transfer-Encoding: xchunked'], emptyBody),
  framed('the coding identity', ['Transfer-Encoding: identity'], emptyBody),
  framed('an empty coding', ['Transfer-Encoding:'], emptyBody),
  framed('space before the colon of Transfer-Encoding', ['Transfer-Encoding : chunked'], emptyBody),
  framed('vertical tab before chunked', ['Transfer-Encoding:\x0bchunked'], emptyBody),
  framed('a folded Transfer-Encoding', ['Transfer-Encoding:', ' chunked'], emptyBody),
  row('chunked in HTTP/1.0', `${post.replace('1.1', '1.0')}${chunked}\r\n${end}${emptyBody}${smuggled}`),
]

const lineEnds = [
  row('bare LF throughout', 'GET /version HTTP/1.1\nHost: localhost\n\n'),
  row('bare LF after the request line', `GET /version HTTP/1.1\n${host}${end}`),
  row('bare LF after a header', `${get}Host: localhost\nX-A: b\r\n${end}`),
  row('bare LF as the empty line', `${get}${host}\n`),
  row('bare CR throughout', 'GET /version HTTP/1.1\rHost: localhost\r\r'),
  row('bare CR in a value', `${get}${host}X-A: b\rX-B: c\r\n${end}`),
  row('CR CR LF', `${get}${host}X-A: b\r\r\n${end}`),
]

const characters = [
  line('NUL in a value', 'X-A: b\0c'),
  line('NUL in a name', 'X-\0A: b'),
  start('NUL in the target', 'GET /ver\0sion HTTP/1.1'),
  line('a control character in a value', 'X-A: b\x01c'),
  line('DEL in a value', 'X-A: b\x7fc'),
  line('form feed in a value', 'X-A: b\x0cc'),
  start('a control character in the target', 'GET /ver\x01sion HTTP/1.1'),
  start('raw bytes over 127 in the target', 'GET /v\xe9rsion HTTP/1.1'),
  line('bytes over 127 in a name', 'X-\xc3\xa9: b'),
]

const fields = [
  line('space before a colon', 'X-A : b'),
  line('tab before a colon', 'X-A\t: b'),
  line('space inside a name', 'X A: b'),
  line('an empty name', ': b'),
  line('a header without a colon', 'X-A'),
  line('a name in brackets', 'X[A]: b'),
  line('a folded header', 'X-A: b\r\n c'),
  line('a header folded by a tab', 'X-A: b\r\n\tc'),
  row('the first header begins with a space', `${get} X-A: b\r\n${host}${end}`),
  row('no Host', `${get}${end}`),
  row('two Hosts', `${get}${host}Host: 127.0.0.1\r\n${end}`),
  row('the same Host twice', `${get}${host}${host}${end}`),
  row('an empty Host', `${get}Host:\r\n${end}`),
  row('a Host with a space', `${get}Host: local host\r\n${end}`),
  row('a Host with a user', `${get}Host: user@localhost\r\n${end}`),
  row('a list of Hosts', `${get}Host: localhost, evil.example\r\n${end}`),
]

const requestLines = [
  start('no version', 'GET /version'),
  start('an empty version', 'GET /version '),
  start('HTTP/2.0', 'GET /version HTTP/2.0'),
  start('HTTP/1.9', 'GET /version HTTP/1.9'),
  start('HTTP/1.2', 'GET /version HTTP/1.2'),
  start('HTTP/1.10', 'GET /version HTTP/1.10'),
  start('HTTP/01.1', 'GET /version HTTP/01.1'),
  start('http/1.1 in lower case', 'GET /version http/1.1'),
  start('a version with a comma', 'GET /version HTTP/1,1'),
  start('another protocol', 'GET /version ICY/1.1'),
  start('space after the version', 'GET /version HTTP/1.1 '),
  start('two spaces before the target', 'GET  /version HTTP/1.1'),
  start('two spaces before the version', 'GET /version  HTTP/1.1'),
  start('tabs instead of spaces', 'GET\t/version\tHTTP/1.1'),
  start('space before the method', ' GET /version HTTP/1.1'),
  start('an empty method', '/version HTTP/1.1'),
  start('a method that is no token', 'G(T /version HTTP/1.1'),
  start('a method of 1,000 letters', `${'G'.repeat(1000)} /version HTTP/1.1`),
  start('a target without its slash', 'GET version HTTP/1.1'),
  start('a fragment', 'GET /version#x HTTP/1.1'),
  start('absolute form of another host', 'GET http://evil.example/version HTTP/1.1'),
  start('GET *', 'GET * HTTP/1.1'),
  start('CONNECT', 'CONNECT evil.example:443 HTTP/1.1'),
  row('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  row('the hello of TLS', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03' + 'r'.repeat(32)),
  row('the banner of SSH', 'SSH-2.0-OpenSSH_9.2\r\n'),
]

const large = [
  row('a head of 1 MB, one header', `${get}${host}X-A: ${'b'.repeat(1 << 20)}\r\n${end}`, { status: 431 }),
  row('a head of 1 MB, many headers', `${get}${host}${'X-A: b\r\n'.repeat(131072)}${end}`, { status: 431 }),
  row('a target of 1 MB', `GET /${'a'.repeat(1 << 20)} HTTP/1.1\r\n${host}${end}`, { status: 431 }),
  row('1 MB without an end', 'G'.repeat(1 << 20), { status: 431 }),
]

const chunks = [
  inChunks('a chunk size in no digits', 'zz\r\nabc\r\n0\r\n\r\n'),
  inChunks('a negative chunk size', '-3\r\nabc\r\n0\r\n\r\n'),
  inChunks('a chunk size with a plus', '+3\r\nabc\r\n0\r\n\r\n'),
  inChunks('a chunk size with 0x', '0x3\r\nabc\r\n0\r\n\r\n'),
  inChunks('an empty chunk size', '\r\nabc\r\n0\r\n\r\n'),
  inChunks('a chunk size beyond 64 bits', '10000000000000003\r\nabc\r\n0\r\n\r\n'),
  inChunks('a space before the chunk size', ' 3\r\nabc\r\n0\r\n\r\n'),
  inChunks('a chunk longer than its size', '3\r\nabcdef\r\n0\r\n\r\n'),
  inChunks('a chunk without CR LF after it', '3\r\nabc0\r\n\r\n'),
  inChunks('bare LF after a chunk size', '3\nabc\r\n0\r\n\r\n'),
  inChunks('bare LF after a chunk', '3\r\nabc\n0\r\n\r\n'),
  inChunks('a chunk extension that is cut by LF', '3;a\nbc\r\nabc\r\n0\r\n\r\n'),
]

const slow = [
  row('a head that stops in the middle', `${get}Host: loc`, { status: 408 }),
  row('a request line that stops', 'GET /ver', { status: 408 }),
]

/** The largest head that is taken. */
export const HEAD_BYTES_MAX = 16 << 10

/** A fine head of so many bytes; `where` most of them are: in the target, or in a header. */
export function headOf(bytes, where) {
  const rest = `${get}${host}X-A: \r\n${end}`.length
  const padding = 'a'.repeat(bytes - rest)
  return where === 'target'
    ? `GET /version?${padding.slice(1)} HTTP/1.1\r\n${host}X-A: \r\n${end}`
    : `${get}${host}X-A: ${padding}\r\n${end}`
}

const overLimit = [HEAD_BYTES_MAX + 1, 20_000, 30_000].flatMap((bytes) => [
  row(`a head of ${bytes} bytes, long by its target`, headOf(bytes, 'target'), { status: 431 }),
  row(`a head of ${bytes} bytes, long by a header`, headOf(bytes, 'header'), { status: 431 }),
])

/** Heads that are wrong, bodies that are wrong, and heads that never end. */
export const heads = [
  ...lengths,
  ...codings,
  ...lineEnds,
  ...characters,
  ...fields,
  ...requestLines,
  ...large,
  ...overLimit,
  ...chunks,
  ...slow,
]
