/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64 with the alphabet of RFC 4648 part 4 and padding, as JSON carries bytes.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_BASE64_H
#define TROUPE_SERVER_BASE64_H

#include <stddef.h>

#include <troupe/error.h>

/* The characters that len bytes become. */
#define BASE64_CHARS(len) (((len) + 2) / 3 * 4)

/* Write BASE64_CHARS(len) characters, without a NUL. */
void base64_write(const void *bytes, size_t len, char *text);

/* Read characters back: there is one text for any bytes, and others are refused. The bytes may go where the text is;
 * they need len / 4 * 3. Fails: TROUPE_E_MALFORMED, with nothing said about what is written. */
TROUPE_MUST_USE int base64_read(const char *text, size_t len, void *bytes, size_t *ret_len);

#endif
