/* SPDX-License-Identifier: Apache-2.0
 *
 * What the wasm port offers beyond port.h, for exports_wasm.c. */
#ifndef TROUPE_PORT_WASM_H
#define TROUPE_PORT_WASM_H

#include "port/port.h"

/* The heap's bytes in use, with the overhead of its chunks. Back at its earlier value when all is freed. */
uint32_t troupe__port_in_use(void);

#endif
