/* SPDX-License-Identifier: Apache-2.0 */
#include "api/resolve.h"

#include <stdlib.h>

#include "api/authorize.h"
#include "api/reply.h"
#include "api/router.h"
#include "base/units.h"
#include "cluster.h"
#include "route/place.h"

/* ---- names ---- */

/* A question to the registry, and then its answer, for the second run of the handler. */
struct asking {
    struct place_request place;
    int error;
    troupe_ref ref;
};

static void forget(struct api_request *req)
{
    struct asking *asking = req->waiting;
    req->waiting = NULL;
    place_cancel(&asking->place);
    free(asking);
}

static void on_found(struct place_request *place, int error, troupe_ref ref)
{
    struct api_request *req = place->user;
    struct asking *asking = req->waiting;
    asking->error = error;
    asking->ref = ref;
    req->cancelled = NULL;
    req->route->handle(req);
}

int api_find(struct api_request *req, troupe_view name, troupe_ref *ret_ref)
{
    struct place *place = req->env->place;
    struct asking *asking = req->waiting;
    if (asking != NULL) {
        int error = asking->error;
        *ret_ref = asking->ref;
        req->waiting = NULL;
        free(asking);
        return error;
    }
    int error = place != NULL ? place_find_now(place, name, ret_ref)
                              : troupe_system_whereis(req->env->system, name, ret_ref);
    if (error != TROUPE_E_STATE)
        return error;
    asking = calloc(1, sizeof *asking);
    if (asking == NULL)
        return TROUPE_E_NO_MEMORY;
    asking->place.user = req;
    req->waiting = asking;
    req->cancelled = forget;
    place_find(place, req->worker, &asking->place, on_found, name);
    return API_LATER;
}

static bool resolve_name(struct api_request *req, troupe_view name, troupe_ref *ret_ref)
{
    if (name.len == 0 || name.len > TROUPE_NAME_BYTES_MAX) {
        api_refuse(req, TROUPE_E_BAD_REFERENCE, "ref", "a name has 1 to %d bytes", TROUPE_NAME_BYTES_MAX);
        return false;
    }
    troupe_ref ref = {0};
    int error = api_find(req, name, &ref);
    if (error == API_LATER)
        return false;
    if (error != 0)
        ref = (troupe_ref){0};
    if (!authorize_request(req, ref, name))
        return false;
    if (error == 0)
        *ret_ref = ref;
    else if (error == TROUPE_E_NOT_FOUND)
        api_refuse_name(req, "ref", name);
    else
        api_reply_answer(req, &(troupe_answer){.error = error}, ref);
    return error == 0;
}

/* ---- references ---- */

/* An actor of another member: calls do not go from node to node in this version, so tell where it is. */
static bool is_reached(struct api_request *req, troupe_ref ref)
{
    const struct api_env *env = req->env;
    char words[512], url[CLUSTER_URL_BYTES];
    if (env->place == NULL || ref.home.high != 0 || troupe_home_equal(ref.home, troupe_system_home(env->system)) ||
        !cluster_api_url(env->members, ref.home, url, sizeof url))
        return true;
    place_tell_home(env->place, ref.home, words, sizeof words);
    struct api_problem problem = {
        .error = TROUPE_E_UNREACHABLE, .detail = troupe_view_of(words), .field = "ref", .actor = ref,
    };
    api_reply_problem(req, &problem);
    return false;
}

bool api_resolve(struct api_request *req, troupe_view ref, troupe_ref *ret_ref)
{
    if (ref.len > 0 && ref.ptr[0] == '@')
        return resolve_name(req, (troupe_view){ref.ptr + 1, ref.len - 1}, ret_ref) && is_reached(req, *ret_ref);
    if (troupe_ref_parse(ref.ptr, ref.len, ret_ref) != 0) {
        api_refuse(req, TROUPE_E_BAD_REFERENCE, "ref",
                   "a reference is an actor's id, such as n.4tq8v1m02x7kc.3f.1, or @ and its name");
        return false;
    }
    return authorize_request(req, *ret_ref, (troupe_view){"", 0}) && is_reached(req, *ret_ref);
}

/* ---- parameters ---- */

bool api_query_duration(struct api_request *req, const char *name, uint32_t min_ms, uint32_t max_ms,
                        uint32_t *value_ms)
{
    uint64_t value;
    const troupe_view *text = api_query(req, name);
    if (text == NULL)
        return true;
    if (units_parse_duration(*text, max_ms, &value) != 0 || value < min_ms) {
        api_refuse(req, TROUPE_E_INVALID, name, "%s must be a duration from %ums to %ums, such as 500ms, 5s or 2m",
                   name, (unsigned)min_ms, (unsigned)max_ms);
        return false;
    }
    *value_ms = (uint32_t)value;
    return true;
}
