/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/alarms.h"

#include <string.h>

#include "cli/member.h"

json_t *alarms_ask(struct cli *cli)
{
    json_t *node = NULL;
    if (troupe_client_get_document(cli->client, "/v1/node", &node, NULL) != 0) {
        return json_array();
    }
    json_t *alarms = json_object_get(node, "alarms");
    alarms = json_is_array(alarms) ? json_incref(alarms) : json_array();
    json_decref(node);
    return alarms;
}

void alarms_format(const json_t *alarm, char *out, size_t cap)
{
    char cells[5][CLI_CELL_BYTES];
    member_text(alarm, "kind", cells[0]);
    member_text(alarm, "actor", cells[1]);
    member_text(alarm, "behavior", cells[2]);
    member_count(alarm, "value", cells[3]);
    member_count(alarm, "threshold", cells[4]);
    const char *unit = strcmp(cells[0], "long_mailbox") == 0 ? " messages"
                       : strcmp(cells[0], "long_turn") == 0  ? " ms"
                                                             : "";
    snprintf(out, cap, "%s of %s (%s): %s%s, threshold %s", cells[0], cells[1], cells[2], cells[3], unit, cells[4]);
}

void alarms_of(const json_t *alarms, const char *ref, char *cell)
{
    size_t i;
    json_t *alarm;
    size_t len = 0;
    snprintf(cell, CLI_CELL_BYTES, "-");
    json_array_foreach(alarms, i, alarm)
    {
        const char *actor = json_string_value(json_object_get(alarm, "actor"));
        const char *kind = json_string_value(json_object_get(alarm, "kind"));
        if (actor != NULL && kind != NULL && strcmp(actor, ref) == 0 && len + strlen(kind) + 2 < CLI_CELL_BYTES) {
            len += (size_t)snprintf(cell + len, CLI_CELL_BYTES - len, "%s%s", len > 0 ? " " : "", kind);
        }
    }
}
