/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of an event's id: the epoch in 16 lower case hexadecimal digits, a dot, the seq in decimal. There is one
 * text for an id.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_SESSION_EVENT_ID_H
#define TROUPE_SERVER_SESSION_EVENT_ID_H

#include <troupe/system.h>

#define EVENT_ID_BYTES TROUPE_EVENT_ID_TEXT_MAX

/* Write the text and a NUL; returns the length without the NUL. */
size_t event_id_format(troupe_event_id id, char text[static EVENT_ID_BYTES]);

/* Fails: TROUPE_E_INVALID. */
TROUPE_MUST_USE int event_id_parse(troupe_view text, troupe_event_id *ret_id);

#endif
