/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"

/* Is a control character at `at`: a C0 byte, DEL, or a C1 character in UTF-8 (0xc2 and 0x80 to 0x9f)? */
static bool is_control(const unsigned char *at)
{
    return at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0);
}

void cli_clean_copy(char *dst, size_t cap, const char *src)
{
    const unsigned char *at = (const unsigned char *)src;
    size_t len = 0;
    while (*at != '\0') {
        size_t need = is_control(at) ? 4 : 1;
        if (len + need >= cap) {
            break;
        }
        if (need == 4) {
            at += at[0] == 0xc2; /* a C1 character is named by its second byte */
            snprintf(dst + len, cap - len, "\\x%02x", *at);
        } else {
            dst[len] = (char)*at;
        }
        len += need;
        at++;
    }
    dst[len] = '\0';
}

void cli_complain(const char *format, ...)
{
    char line[4096];
    char clean[sizeof line];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    cli_clean_copy(clean, sizeof clean, line);
    fprintf(stderr, "troupe: %s\n", clean);
}

int cli_no_memory(void)
{
    cli_complain("memory is exhausted");
    return CLI_EXIT_LOCAL;
}

/* The document's rule, in docs/man/troupe.1: what did not come from a node is 3; 404 and 410 say that a thing is not
 * there, but a missing route says that the node is of another kind. */
int cli_problem_exit(const troupe_client_problem *problem)
{
    if (problem->error == TROUPE_E_NO_MEMORY && problem->http_status == 0) {
        return CLI_EXIT_LOCAL;
    }
    if (problem->http_status == 0 && problem->error != TROUPE_E_UNREACHABLE && problem->error != TROUPE_E_TIMEOUT &&
        problem->error != TROUPE_E_TOO_LARGE && problem->error != TROUPE_E_MALFORMED) {
        return CLI_EXIT_USAGE;
    }
    if (problem->http_status < 400 || problem->code[0] == '\0') {
        return CLI_EXIT_UNREACHABLE;
    }
    bool is_no = problem->http_status == 404 || problem->http_status == 410;
    return is_no && problem->error != TROUPE_E_NO_ROUTE ? CLI_EXIT_NO : CLI_EXIT_REFUSED;
}

/* What to do about it; NULL: nothing better than the detail. */
static const char *remedy_for(const struct cli *cli, const troupe_client_problem *problem)
{
    switch (problem->error) {
    case TROUPE_E_NAME_TAKEN:
        return "choose another name, or give --if-exists return";
    case TROUPE_E_FULL:
    case TROUPE_E_SHED:
        return "send slower, or spawn the actor with a larger mailbox";
    case TROUPE_E_TIMEOUT:
        return "it may have happened; give a longer --timeout";
    case TROUPE_E_GONE:
    case TROUPE_E_STOPPED:
        if (strcmp(problem->field, "node") == 0) {
            return "'troupe nodes' lists the members";
        }
        return "spawn it again; 'troupe ls' shows what runs";
    case TROUPE_E_NOT_FOUND:
        if (strcmp(problem->field, "timer") == 0) {
            return "'troupe timers REF' lists those it has";
        }
        if (cli->command != NULL && strcmp(cli->command->name, "groups") == 0 && strcmp(cli->arg[0], "leave") == 0) {
            return "'troupe groups members GROUP' lists them";
        }
        if (strcmp(problem->field, "behavior") == 0) {
            return "'troupe behaviors' lists them";
        }
        return strcmp(problem->field, "node") == 0 ? "'troupe nodes' lists the members" : "'troupe ls' shows what runs";
    case TROUPE_E_UNKNOWN_TYPE:
        return "'troupe behaviors BEHAVIOR' shows what it takes";
    case TROUPE_E_UNKNOWN_BEHAVIOR:
        return "'troupe behaviors' lists them";
    case TROUPE_E_NO_VIEW:
        return "'troupe info' shows what the node knows of it";
    case TROUPE_E_NOT_RUNNING:
        return "'troupe info' shows how it fares; try again";
    case TROUPE_E_NO_ROUTE:
        return "node and client may differ in version; see 'troupe doctor'";
    case TROUPE_E_UNAUTHORIZED:
        return cli->token == NULL ? "give a token by --token-file FILE or in TROUPE_TOKEN; 'troupe token new' makes one"
                                  : "the node does not know this token, or it has expired; its token file tells";
    case TROUPE_E_FORBIDDEN:
        return cli->token == NULL ? "give a token by --token-file FILE or in TROUPE_TOKEN"
                                  : "ask for a token with that grant; 'troupe help token' tells how one is made";
    case TROUPE_E_REPLAYED:
        return "the clocks of both machines may differ; see 'troupe doctor'";
    case TROUPE_E_RATE:
    case TROUPE_E_LIMIT:
        return "wait a little and send slower";
    case TROUPE_E_WRONG_CONNECTION:
        return "run the command again; a proxy in between must not mix these requests";
    case TROUPE_E_REGISTRY_LOST:
        return "names cannot be given until the registry is back; 'troupe status' shows it";
    case TROUPE_E_NOT_MEMBER:
        return "'troupe nodes' lists the members";
    case TROUPE_E_WRONG_HOST:
        return "use the node's IP address, or start it with --allow-host";
    default:
        return problem->retry == TROUPE_RETRY_YES ? "try again" : NULL;
    }
}

static int complain_unreachable(const char *url, const troupe_client_problem *problem)
{
    if (problem->error == TROUPE_E_TIMEOUT) {
        cli_complain("%s did not answer: %s; it may have happened; see 'troupe doctor' or give a longer --timeout", url,
                     problem->detail);
    } else if (problem->error == TROUPE_E_UNREACHABLE && problem->http_status == 0) {
        cli_complain("cannot reach %s: %s; start a node with 'trouped' or give --url", url, problem->detail);
    } else {
        cli_complain("no node at %s: %s; check --url", url, problem->detail);
    }
    return CLI_EXIT_UNREACHABLE;
}

/* What programs would look at, in brackets: the behavior's own code, the field, the delay. */
static void describe_rest(const troupe_client_problem *problem, char *out, size_t cap)
{
    char code[128] = "";
    char field[160] = "";
    char wait[64] = "";
    if (problem->error == TROUPE_E_APP) {
        snprintf(code, sizeof code, " (%s)", problem->code);
    }
    if (problem->field[0] != '\0') {
        snprintf(field, sizeof field, " (field %s)", problem->field);
    }
    if (problem->retry_after_ms >= 0) {
        snprintf(wait, sizeof wait, " (retry after %" PRId64 " ms)", problem->retry_after_ms);
    }
    snprintf(out, cap, "%s%s%s", code, field, wait);
}

/* The node's own remedy stands in the detail behind a semicolon. One is enough: where the node's speaks of requests,
 * ours; else the node's, which knows more. Gives how much of the detail to show. */
static int one_remedy(int error, const char *detail, const char **remedy)
{
    const char *own = strstr(detail, "; ");
    if (own != NULL && *remedy != NULL) {
        switch (error) {
        case TROUPE_E_NAME_TAKEN:
        case TROUPE_E_NOT_FOUND:
        case TROUPE_E_GONE:
        case TROUPE_E_UNKNOWN_TYPE:
        case TROUPE_E_UNKNOWN_BEHAVIOR:
        case TROUPE_E_NO_VIEW:
        case TROUPE_E_UNAUTHORIZED:
        case TROUPE_E_FORBIDDEN:
        case TROUPE_E_WRONG_HOST:
            return (int)(own - detail);
        default:
            *remedy = NULL;
        }
    }
    return (int)strlen(detail);
}

const char *cli_problem_text(const troupe_client_problem *problem)
{
    return problem->detail[0] != '\0' ? problem->detail : problem->title;
}

int cli_complain_problem(const struct cli *cli, const troupe_client_problem *problem, const char *format, ...)
{
    char what[400];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    int code = cli_problem_exit(problem);
    if (code == CLI_EXIT_LOCAL) {
        return cli_no_memory();
    }
    if (code == CLI_EXIT_UNREACHABLE) {
        return complain_unreachable(troupe_client_url(cli->client), problem);
    }
    if (code == CLI_EXIT_USAGE) {
        cli_complain("cannot %s: %s", what, cli_problem_text(problem));
        return code;
    }
    char about[360] = "";
    const char *detail = strcmp(problem->detail, problem->title) != 0 ? problem->detail : "";
    const char *remedy = remedy_for(cli, problem);
    int fact_len = one_remedy(problem->error, detail, &remedy);
    describe_rest(problem, about, sizeof about);
    cli_complain("cannot %s: %s%s%.*s%s%s%s", what, problem->title, detail[0] != '\0' ? ": " : "", fact_len, detail,
                 about, remedy != NULL ? "; " : "", remedy != NULL ? remedy : "");
    return code;
}
