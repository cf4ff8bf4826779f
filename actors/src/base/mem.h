/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions on bytes for internal files; see troupe/mem.h.
 *
 * Thread: any. */
#ifndef TROUPE_BASE_MEM_H
#define TROUPE_BASE_MEM_H

#include <troupe/mem.h> /* IWYU pragma: export */

#endif
