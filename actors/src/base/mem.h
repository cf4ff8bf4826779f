/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions of <string.h> that the core may use, under one name for all targets.
 *
 * Thread: any. */
#ifndef TROUPE_BASE_MEM_H
#define TROUPE_BASE_MEM_H

#include <troupe/mem.h> /* IWYU pragma: export */

#endif
