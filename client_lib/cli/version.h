/* SPDX-License-Identifier: Apache-2.0
 *
 * The version of this program, as configure was told. */
#ifndef TROUPE_CLI_VERSION_H
#define TROUPE_CLI_VERSION_H

#ifdef HAVE_CONFIG_H
#include <config.h>
#endif

#define CLI_VERSION PACKAGE_VERSION

#endif
