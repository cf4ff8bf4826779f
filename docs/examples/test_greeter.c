/* SPDX-License-Identifier: Apache-2.0
 *
 * From docs/writing-a-behavior.md, which says how to compile and run it. */
#include <troupe/testing.h>

int main(void)
{
    troupe_lab *lab = troupe_lab_new(&troupe_exported_behaviors);
    troupe_ref greeter = troupe_lab_spawn(lab, "greeter", NULL);

    TROUPE_LAB_REPLY(lab, greeter, "greet", "{\"name\":\"Ada\"}", "\"Hello, Ada!\"");
    TROUPE_LAB_ERROR(lab, greeter, "greet", "{}", "schema");
    TROUPE_LAB_ERROR(lab, greeter, "greet", "{\"name\":7}", "schema");
    TROUPE_LAB_CHECK(troupe_lab_cast(lab, greeter, "greet", "{\"name\":\"Alan\"}") == 0);
    TROUPE_LAB_REPLY(lab, greeter, "count", NULL, "2");
    return troupe_lab_free(lab);
}
