/* SPDX-License-Identifier: Apache-2.0 */
#include "api/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compile(const char *text, const char *type, const char *which, struct schema **ret_schema, char *words,
                   size_t cap)
{
    struct schema_fault fault;
    int error = schema_compile(text, ret_schema, &fault);
    if (error != 0)
        snprintf(words, cap, "the %s of %s is wrong%s%s: %s", which, type, fault.pointer[0] != '\0' ? " at " : "",
                 fault.pointer, fault.detail);
    return error;
}

static int compile_type(struct contract *contract, const troupe_behavior *behavior, uint32_t i, char *words, size_t cap)
{
    const troupe_type *type = &behavior->types[i];
    struct schema *reply = NULL;
    int error = compile(type->body_schema, type->name, "body_schema", &contract->bodies[i], words, cap);
    if (error == 0)
        error = compile(type->reply_schema, type->name, "reply_schema", &reply, words, cap);
    schema_free(reply);
    return error;
}

int contract_new(const troupe_behavior *behavior, const char *file, uint64_t now_ms, struct contract **ret_contract,
                 char *words, size_t cap)
{
    struct contract *contract = calloc(1, sizeof *contract);
    bool is_made = contract != NULL && (file == NULL || (contract->file = strdup(file)) != NULL);
    if (!is_made || behavior->types_count > TROUPE_TYPES_PER_BEHAVIOR_MAX) {
        snprintf(words, cap, is_made ? "it has more than %u message types" : "memory is exhausted",
                 TROUPE_TYPES_PER_BEHAVIOR_MAX);
        contract_free(contract);
        return is_made ? TROUPE_E_INVALID : TROUPE_E_NO_MEMORY;
    }
    contract->loaded_at_ms = now_ms;
    int error = compile(behavior->args_schema, behavior->name, "args_schema", &contract->args, words, cap);
    for (uint32_t i = 0; error == 0 && i < behavior->types_count; i++)
        error = compile_type(contract, behavior, i, words, cap);
    if (error != 0)
        contract_free(contract);
    else
        *ret_contract = contract;
    return error;
}

void contract_free(struct contract *contract)
{
    if (contract == NULL)
        return;
    for (unsigned i = 0; i < TROUPE_TYPES_PER_BEHAVIOR_MAX; i++)
        schema_free(contract->bodies[i]);
    schema_free(contract->args);
    free(contract->file);
    free(contract);
}

int contract_install(troupe_system *system, const troupe_behavior *behavior, uint64_t now_ms, char *words, size_t cap)
{
    struct contract *contract = NULL;
    int error = contract_new(behavior, NULL, now_ms, &contract, words, cap);
    if (error != 0)
        return error;
    error = troupe_system_install_behavior(system, behavior, contract, false);
    if (error != 0) {
        snprintf(words, cap, "%s", troupe_error_lookup(error)->text);
        contract_free(contract);
    }
    return error;
}

void contract_free_all(troupe_system *system)
{
    troupe_installed installed;
    for (uint32_t i = 0; troupe_system_installed_at(system, i, &installed); i++)
        contract_free((struct contract *)(uintptr_t)installed.host);
}

const struct schema *contract_of_body(const troupe_system *system, troupe_ref ref, troupe_view type)
{
    troupe_target target;
    if (troupe_system_target(system, ref, type, &target) != 0 || target.host == NULL || target.op == TROUPE_OP_NONE)
        return NULL;
    return ((const struct contract *)target.host)->bodies[target.op];
}

const struct schema *contract_of_args(const troupe_system *system, troupe_view behavior)
{
    const struct contract *contract = troupe_system_behavior_host(system, behavior);
    return contract != NULL ? contract->args : NULL;
}
