# SPDX-License-Identifier: Apache-2.0

# TROUPE_CC_FLAGS(VARIABLE, FLAGS): append to VARIABLE each of the FLAGS that the compiler takes without a warning.
AC_DEFUN([TROUPE_CC_FLAGS],
  [m4_foreach_w([flag], [$2],
    [AS_VAR_PUSHDEF([cached], [troupe_cv_flag_]flag)dnl
     AC_CACHE_CHECK([whether $CC takes flag], [cached],
       [troupe_saved_CFLAGS=$CFLAGS
        CFLAGS="$CFLAGS -Werror flag"
        AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[return puts("") < 0;]])],
          [AS_VAR_SET([cached], [yes])], [AS_VAR_SET([cached], [no])])
        CFLAGS=$troupe_saved_CFLAGS])
     AS_VAR_IF([cached], [yes], [$1="$$1 flag"])
     AS_VAR_POPDEF([cached])])])

# TROUPE_LINKS(FLAGS, IF-YES, IF-NO, [PROGRAM]): do the compiler and the linker together take all FLAGS?
AC_DEFUN([TROUPE_LINKS],
  [AC_MSG_CHECKING([whether $CC links with $1])
   troupe_saved_CFLAGS=$CFLAGS
   CFLAGS="$CFLAGS -Werror $1"
   AC_LINK_IFELSE([m4_default([$4], [AC_LANG_PROGRAM()])],
     [CFLAGS=$troupe_saved_CFLAGS; AC_MSG_RESULT([yes]); $2],
     [CFLAGS=$troupe_saved_CFLAGS; AC_MSG_RESULT([no]); $3])])

# TROUPE_LIBRARY(VARIABLE, MODULE, MINIMUM, DEBIAN-PACKAGE): a library that must be there, found by pkg-config.
# Sets VARIABLE_CFLAGS, VARIABLE_LIBS and VARIABLE_VERSION.
AC_DEFUN([TROUPE_LIBRARY],
  [PKG_CHECK_MODULES([$1], [$2 >= $3], [],
    [AC_MSG_ERROR([$2 >= $3 is missing. On Debian: apt-get install $4])])
   $1_VERSION=`$PKG_CONFIG --modversion $2`])
