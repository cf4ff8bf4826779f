/* SPDX-License-Identifier: Apache-2.0
 *
 * The token that is sent along: from the file of --token-file, else from TROUPE_TOKEN. There is no option for the token
 * itself, because every user of a machine can read the arguments of its processes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* A file with one line, the token; blank lines and spaces around it do not count. Returns a cli_exit. */
static int read_file(const char *path, char text[static TROUPE_CLIENT_TOKEN_BYTES_MAX + 64], char *why, size_t why_cap)
{
    size_t cap = TROUPE_CLIENT_TOKEN_BYTES_MAX + 64;
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        snprintf(why, why_cap, "cannot read the token from %s: %s", path, strerror(errno));
        return CLI_EXIT_USAGE;
    }
    size_t len = fread(text, 1, cap - 1, file);
    bool failed = ferror(file) != 0;
    int error = errno;
    bool has_more = len == cap - 1 && fgetc(file) != EOF;
    fclose(file);
    text[len] = '\0';
    if (failed || has_more || strlen(text) != len) {
        snprintf(why, why_cap, "cannot read the token from %s: %s", path,
                 failed ? strerror(error) : "it is no file with one token");
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_DONE;
}

int cli_token_read(struct cli *cli, char *why, size_t why_cap)
{
    char text[TROUPE_CLIENT_TOKEN_BYTES_MAX + 64];
    const char *path = cli->value[CLI_TOKEN_FILE];
    const char *given = getenv("TROUPE_TOKEN");
    if (cli->token != NULL || (path == NULL && (given == NULL || given[0] == '\0'))) {
        return CLI_EXIT_DONE;
    }
    if (path != NULL) {
        int code = read_file(path, text, why, why_cap);
        if (code != CLI_EXIT_DONE) {
            return code;
        }
        given = text + strspn(text, " \t\r\n");
        for (size_t len = strlen(text); len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL; len--) {
            text[len - 1] = '\0';
        }
    }
    if (!troupe_client_token_is_valid(given)) {
        snprintf(why, why_cap, "what %s holds is not a token: 1 to %d visible ASCII characters",
                 path != NULL ? path : "TROUPE_TOKEN", TROUPE_CLIENT_TOKEN_BYTES_MAX);
        return CLI_EXIT_USAGE;
    }
    cli->token = strdup(given);
    if (cli->token == NULL) {
        snprintf(why, why_cap, "memory is exhausted");
        return CLI_EXIT_LOCAL;
    }
    return CLI_EXIT_DONE;
}
