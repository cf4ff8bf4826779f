/* SPDX-License-Identifier: Apache-2.0
 *
 * One check: GET identity -> connect to the peer port -> hello -> done. The first that fails ends it, with words. */
#include "io/verify.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

enum { WORDS_BYTES = 512, HOST_PORT_BYTES = REGISTRY_HOST_BYTES + 16 };

static const char api_words[] = "its API address", peer_words[] = "its peer port";

struct check {
    struct verify *verify;
    troupe_home node;
    uint32_t revision;
    char api[HOST_PORT_BYTES], peer[HOST_PORT_BYTES];
    char nonce[AUTH_NONCE_TEXT];
    uint64_t fetch_id, peer_id;  /* what is under way */
    struct check *next;
};

struct verify {
    struct verify_config config;
    struct check *checks;
};

static void write_host_port(const struct registry_endpoint *endpoint, char *text)
{
    text[0] = '\0';
    if (endpoint != NULL)
        snprintf(text, HOST_PORT_BYTES, strchr(endpoint->host, ':') != NULL ? "[%s]:%u" : "%s:%u", endpoint->host,
                 (unsigned)endpoint->port);
}

static void finish(struct check *check, const char *where, const char *what)
{
    struct verify *verify = check->verify;
    char words[WORDS_BYTES] = "";
    struct check **at = &verify->checks;
    while (*at != check)
        at = &(*at)->next;
    *at = check->next;
    if (what != NULL)
        snprintf(words, sizeof words, "%s %s: %s; it must be open to the registry's machine, or tell another: %s", where,
                 where == api_words ? check->api : check->peer, what,
                 where == api_words ? "--advertise" : "--advertise-peer");
    verify->config.done(verify->config.user, check->node, check->revision, what == NULL, words);
    free(check);
}

static void fail_api(struct check *check, const char *what) { finish(check, api_words, what); }
static void fail_peer(struct check *check, const char *what) { finish(check, peer_words, what); }

/* ---- the peer port ---- */

static void on_asked(void *user, int error, const char *words)
{
    struct check *check = user;
    if (error == 0)
        finish(check, "", NULL);
    else
        fail_peer(check, words);
}

static void on_connected(void *user, uint64_t id, const struct fetch_answer *answer)
{
    struct check *check = user;
    const struct verify_config *config = &check->verify->config;
    (void)id;
    check->fetch_id = 0;
    if (answer->trouble != NULL) {
        fail_peer(check, answer->trouble);
        return;
    }
    check->peer_id = peer_port_ask(config->peers, answer->fd, check->node.low, config->timeout_ms, on_asked, check);
    if (check->peer_id == 0)
        fail_peer(check, "memory is exhausted");
}

static void connect_peer(struct check *check)
{
    char url[HOST_PORT_BYTES + 16];
    snprintf(url, sizeof url, "http://%s/", check->peer);
    const struct fetch_request request = {
        .url = url, .timeout_ms = check->verify->config.timeout_ms, .is_once = true, .done = on_connected,
        .user = check,
    };
    check->fetch_id = fetch_start(check->verify->config.fetch, &request);
    if (check->fetch_id == 0)
        fail_peer(check, "memory is exhausted");
}

/* ---- the API port ---- */

static bool is_member(const json_t *document, const char *name, const char *wanted)
{
    const char *text = json_string_value(json_object_get(document, name));
    return text != NULL && strcmp(text, wanted) == 0;
}

static const char *judge_identity(const struct check *check, const struct fetch_answer *answer)
{
    const struct verify_config *config = &check->verify->config;
    char node[TROUPE_HOME_TEXT_MAX];
    if (answer->trouble != NULL)
        return answer->trouble;
    if (answer->status != 200)
        return "what answers there is no node of this cluster";
    if (!registry_auth_proof_is_good(config->secret, check->nonce, answer->status, answer->body, answer->proof))
        return "what answers there does not prove the secret";
    json_t *document = json_loadb(answer->body.ptr, answer->body.len, 0, NULL);
    troupe_home_format(check->node, node);
    bool is_it = is_member(document, "cluster", config->cluster) && is_member(document, "node", node);
    json_decref(document);
    return is_it ? NULL : "another node answers there";
}

static void on_identity(void *user, uint64_t id, const struct fetch_answer *answer)
{
    struct check *check = user;
    const char *wrong = judge_identity(check, answer);
    (void)id;
    check->fetch_id = 0;
    if (wrong != NULL)
        fail_api(check, wrong);
    else
        connect_peer(check);
}

static bool make_nonce(char nonce[static AUTH_NONCE_TEXT])
{
    unsigned char random[(AUTH_NONCE_TEXT - 1) / 2];
    if (!host_random(random, sizeof random))
        return false;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(nonce + 2 * i, 3, "%02x", random[i]);
    return true;
}

void verify_start(struct verify *verify, const struct registry_record *record)
{
    char url[HOST_PORT_BYTES + 96];
    struct check *check = calloc(1, sizeof *check);
    if (check == NULL) {
        verify->config.done(verify->config.user, record->node, record->revision, false, "memory is exhausted");
        return;
    }
    check->verify = verify;
    check->node = record->node;
    check->revision = record->revision;
    check->next = verify->checks;
    verify->checks = check;
    write_host_port(registry_record_endpoint(record, "api"), check->api);
    write_host_port(registry_record_endpoint(record, "peer"), check->peer);
    if (make_nonce(check->nonce)) {
        snprintf(url, sizeof url, "http://%s/v1/registry/identity?nonce=%s", check->api, check->nonce);
        const struct fetch_request request = {
            .method = "GET", .url = url, .timeout_ms = verify->config.timeout_ms, .is_once = true, .done = on_identity,
            .user = check,
        };
        check->fetch_id = fetch_start(verify->config.fetch, &request);
    }
    if (check->fetch_id == 0)
        fail_api(check, "no request could be made: memory is exhausted");
}

int verify_new(const struct verify_config *config, struct verify **ret_verify)
{
    struct verify *verify = calloc(1, sizeof *verify);
    if (verify == NULL)
        return TROUPE_E_NO_MEMORY;
    verify->config = *config;
    *ret_verify = verify;
    return 0;
}

void verify_free(struct verify *verify)
{
    if (verify == NULL)
        return;
    while (verify->checks != NULL) {
        struct check *check = verify->checks;
        verify->checks = check->next;
        if (check->fetch_id != 0)
            fetch_abort(verify->config.fetch, check->fetch_id);
        if (check->peer_id != 0)
            peer_port_forget(verify->config.peers, check->peer_id);
        free(check);
    }
    free(verify);
}
