/* SPDX-License-Identifier: Apache-2.0
 *
 * What addresses use: connections and requests. An address is an IPv4 address, or the /64 of an IPv6 address, which is
 * what one customer has. Loopback, and what is no IP address, is not counted.
 *
 * Two tables. One leads from the address to its figures: 64 parts, each with a lock, hashed with a secret so that
 * nobody can make a part long. The other leads from a descriptor to the same figures, without lock: whoever has the
 * descriptor has the right to its entry. That is what makes a request cheap, and a connection is found again when the
 * peer has reset it and the socket knows no address any more.
 *
 * A descriptor that was closed without leave is put right when it comes again.
 *
 * An entry whose connections are gone stays while its rate remembers something: otherwise a new connection would come
 * with a new rate. A part holds so many entries at most; idle ones make room, and if there are none a newcomer is
 * refused.
 *
 * Thread: any. */
#ifndef TROUPE_SERVER_ADDRESSES_H
#define TROUPE_SERVER_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <troupe/error.h>

enum { ADDRESSES_PARTS = 64, ADDRESSES_PER_PART_MAX = 4096 };

struct addresses;

/* rate: requests a second, connections_max: connections, of an address; 0: no limit. */
TROUPE_MUST_USE int addresses_new(uint32_t rate, uint32_t connections_max, struct addresses **ret_addresses);
void addresses_free(struct addresses *addresses);

/* See access.h. `peer` is where the descriptor is connected to. */
bool addresses_enter(struct addresses *addresses, int fd, const struct sockaddr *peer, uint64_t now_ms);
void addresses_move(struct addresses *addresses, int from_fd, int to_fd);
void addresses_leave(struct addresses *addresses, int fd);
uint32_t addresses_take_rate(struct addresses *addresses, int fd, uint64_t now_ms);

/* How many entries there are. */
unsigned addresses_count(struct addresses *addresses);

#endif
