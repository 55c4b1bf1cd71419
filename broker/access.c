#include "broker/access.h"

#include "base/alloc.h"
#include "broker/broker_internal.h"
#include "broker/eviction.h"
#include "broker/expiry.h"
#include "broker/transaction.h"

struct read_job {
    struct session *session; /* NULL: nobody's, then it has `done` */
    struct fetch *fetch;     /* borrowed: a cursor's; or NULL: */
    struct key_fetch *keys;
    size_t key_count;
    void (*done)(void *context);
    void *context;
    struct key_fetch *groups; /* or NULL: the groups of this key's feed */
};

struct key_fetch {
    struct fetch fetch;
    unsigned db;
    struct buf key;
};

void access_error(struct session *session, enum err err)
{
    if (err == ERR_FULL) /* as for any client whose output passes its limit */
        session_abort(session);
    else
        reply_error(&session->reply, "ERR reading from disk failed: %s", err_text(err));
}

void read_job_run(struct read_job *job)
{
    if (job->fetch != NULL)
        fetch_run(job->fetch);
    for (size_t i = 0; i < job->key_count; i++)
        fetch_run(&job->keys[i].fetch);
    if (job->groups != NULL)
        fetch_run(&job->groups->fetch);
}

static void key_fetch_init(struct key_fetch *fetch, unsigned db, struct bytes key)
{
    fetch_init(&fetch->fetch);
    buf_init(&fetch->key);
    buf_add_bytes(&fetch->key, key);
    fetch->db = db;
}

static void key_fetch_deinit(struct key_fetch *fetch)
{
    fetch_deinit(&fetch->fetch);
    buf_deinit(&fetch->key);
}

static void take_keys(struct read_job *job)
{
    struct session *session = job->session;
    for (size_t i = 0; i < job->key_count; i++) {
        struct key_fetch *key = &job->keys[i];
        enum err err =
            keyspace_take(&session->broker->keyspace, key->db, buf_bytes(&key->key), &key->fetch);
        if (err != ERR_OK && err != ERR_COLD)
            session->read_err = err;
        key_fetch_deinit(key);
    }
    mem_free(job->keys);
}

/* Where the key has left memory meanwhile, or names something else, the command asks again. */
static void take_groups(struct read_job *job)
{
    struct session *session = job->session;
    struct keyspace *keyspace = &session->broker->keyspace;
    struct key_fetch *groups = job->groups;
    struct object *object;
    if (groups == NULL)
        return;
    enum err err = keyspace_find(keyspace, groups->db, buf_bytes(&groups->key), &object);
    if (err == ERR_OK)
        err = keyspace_groups_take(keyspace, object, &groups->fetch);
    if (err != ERR_OK && err != ERR_COLD)
        session->read_err = err;
    key_fetch_deinit(groups);
    mem_free(groups);
}

void read_job_done(struct read_job *job)
{
    struct session *session = job->session;
    if (session == NULL) {
        job->done(job->context);
        mem_free(job);
        return;
    }
    take_keys(job);
    take_groups(job);
    mem_free(job);
    if (session_release(session))
        session_resume(session);
}

/* EXEC must not be interrupted. */
static void run_job_here(struct read_job *job)
{
    read_job_run(job);
    take_keys(job);
    take_groups(job);
    job->session->transaction->has_read = true;
    mem_free(job);
}

static void start_job(struct session *session, struct read_job *job)
{
    struct broker *broker = session->broker;
    job->session = session;
    if (transaction_runs(session)) {
        run_job_here(job);
        return;
    }
    session_hold(session);
    broker->hooks.read(broker->hooks.context, job);
}

void access_read(struct session *session, struct fetch *fetch)
{
    struct read_job *job = mem_zalloc(sizeof(*job));
    job->fetch = fetch;
    fetch->view = store_view(session->broker->store);
    start_job(session, job);
}

void access_read_for(struct broker *broker, struct fetch *fetch, void (*done)(void *context),
                     void *context)
{
    struct read_job *job = mem_zalloc(sizeof(*job));
    job->fetch = fetch;
    job->done = done;
    job->context = context;
    fetch->view = store_view(broker->store);
    broker->hooks.read(broker->hooks.context, job);
}

static void add_key(struct read_job *job, struct session *session, unsigned db, struct bytes key)
{
    struct key_fetch *fetch = &job->keys[job->key_count++];
    key_fetch_init(fetch, db, key);
    keyspace_plan(&session->broker->keyspace, db, key, &fetch->fetch);
}

/* True when the last read for this command failed, and the client was told. */
static bool read_failed(struct session *session)
{
    if (session->read_err == ERR_OK)
        return false;
    access_error(session, session->read_err);
    session->read_err = ERR_OK;
    return true;
}

/* False: replied that the name is too long. */
static bool name_fits(struct session *session, struct bytes key)
{
    if (key.len <= KEY_NAME_MAX)
        return true;
    reply_error(&session->reply, "ERR key is longer than %zu bytes", KEY_NAME_MAX);
    return false;
}

static void count_read(struct session *session, unsigned db, struct bytes key,
                       const struct object *object)
{
    if (!(session->command->flags & COMMAND_UNCOUNTED))
        keyspace_count(&session->broker->keyspace, db, key, object);
    if (object_type(object) == OBJECT_NONE && !(session->command->flags & COMMAND_UNNOTICED))
        keyspace_event(session, EVENT_MISS, "keymiss", db, key);
}

bool access_has_room(struct session *session, unsigned db, struct bytes key)
{
    if (transaction_runs(session) ||
        !eviction_full(session->broker, keyspace_range(&session->broker->keyspace, db, key)))
        return true;
    session_out_of_memory(session);
    return false;
}

static enum access wait_for_key(struct session *session, unsigned db, struct bytes key)
{
    struct read_job *job = mem_zalloc(sizeof(*job));
    job->keys = mem_alloc(sizeof(*job->keys));
    add_key(job, session, db, key);
    start_job(session, job);
    return ACCESS_WAIT;
}

/* `reads`: what is found is told, and so counts as a hit or a miss. */
static enum access find_key(struct session *session, unsigned db, struct bytes key, bool reads,
                            struct object **out)
{
    struct broker *broker = session->broker;
    struct keyspace *keyspace = &broker->keyspace;
    if (read_failed(session) || !name_fits(session, key))
        return ACCESS_FAILED;
    enum err err = keyspace_find(keyspace, db, key, out);
    if (err == ERR_COLD)
        return wait_for_key(session, db, key);
    if (err != ERR_OK) {
        access_error(session, err);
        return ACCESS_FAILED;
    }
    *out = expiry_see(session, db, key, *out);
    if ((*out)->in_memory) {
        if ((session->command->flags & COMMAND_DENYOOM) && !access_has_room(session, db, key))
            return ACCESS_FAILED;
        keyspace->memory.now_ms = broker_now_ms(broker);
        if (!session->no_touch && !(session->command->flags & COMMAND_NO_TOUCH))
            keyspace_used(keyspace, *out);
    }
    if (reads)
        count_read(session, db, key, *out);
    session_gate(session, keyspace_gate(keyspace, db, *out));
    return ACCESS_READY;
}

static bool reads(const struct session *session)
{
    return !(session->command->flags & COMMAND_WRITE);
}

enum access access_key_in(struct session *session, unsigned db, struct bytes key,
                          struct object **out)
{
    return find_key(session, db, key, reads(session), out);
}

enum access access_key(struct session *session, struct bytes key, struct object **out)
{
    return access_key_in(session, session->db, key, out);
}

enum access access_key_read(struct session *session, struct bytes key, struct object **out)
{
    return find_key(session, session->db, key, true, out);
}

static enum access typed(struct session *session, struct bytes key, enum object_type wanted,
                         bool counts, struct object **out)
{
    struct object *object;
    enum access access = find_key(session, session->db, key, counts, &object);
    if (access != ACCESS_READY)
        return access;
    enum object_type type = object_type(object);
    if (type != wanted && type != OBJECT_NONE) {
        session_wrong_type(session);
        return ACCESS_FAILED;
    }
    *out = object;
    return ACCESS_READY;
}

enum access access_string(struct session *session, struct bytes key, struct object **out)
{
    return typed(session, key, OBJECT_STRING, reads(session), out);
}

enum access access_string_read(struct session *session, struct bytes key, struct object **out)
{
    return typed(session, key, OBJECT_STRING, true, out);
}

enum access access_hash(struct session *session, struct bytes key, struct object **out)
{
    return typed(session, key, OBJECT_HASH, reads(session), out);
}

enum access access_feed(struct session *session, struct bytes key, struct object **out)
{
    struct object *object;
    enum access access = typed(session, key, OBJECT_FEED, reads(session), &object);
    if (access != ACCESS_READY)
        return access;
    if (object->in_memory && (session->command->flags & COMMAND_WRITE)) {
        access_no_feed(session);
        return ACCESS_FAILED;
    }
    *out = object;
    return ACCESS_READY;
}

void access_no_feed(struct session *session)
{
    reply_error(&session->reply,
                "ERR feeds live in durable ranges, and this key is in a memory range");
}

enum access access_groups(struct session *session, struct bytes key, struct object **out)
{
    struct keyspace *keyspace = &session->broker->keyspace;
    struct object *object;
    enum access access = access_feed(session, key, &object);
    if (access != ACCESS_READY)
        return access;
    enum err err = keyspace_groups(keyspace, object);
    if (err == ERR_OK) {
        *out = object;
        return ACCESS_READY;
    }
    if (err != ERR_COLD) {
        access_error(session, err);
        return ACCESS_FAILED;
    }
    struct read_job *job = mem_zalloc(sizeof(*job));
    job->groups = mem_alloc(sizeof(*job->groups));
    key_fetch_init(job->groups, session->db, key);
    keyspace_groups_plan(keyspace, object, &job->groups->fetch);
    start_job(session, job);
    return ACCESS_WAIT;
}

/* Has the key's object read if it is not in memory, with others, `most` of them, by *job. */
static void want_key(struct session *session, struct read_job **job, size_t most, unsigned db,
                     struct bytes key)
{
    struct object *object;
    if (key.len > KEY_NAME_MAX ||
        keyspace_find(&session->broker->keyspace, db, key, &object) == ERR_OK)
        return;
    if (*job == NULL) {
        *job = mem_zalloc(sizeof(**job));
        (*job)->keys = mem_alloc(most * sizeof(*(*job)->keys));
    }
    add_key(*job, session, db, key); /* its reader meets the error again, and tells */
}

static enum access read_wanted(struct session *session, struct read_job *job)
{
    if (job == NULL)
        return ACCESS_READY;
    start_job(session, job);
    return ACCESS_WAIT;
}

enum access access_keys(struct session *session, size_t first, size_t count, size_t step)
{
    struct read_job *job = NULL;
    if (read_failed(session))
        return ACCESS_FAILED;
    for (size_t i = 0; i < count; i++) {
        if (!name_fits(session, session->argv[first + i * step]))
            return ACCESS_FAILED;
    }
    for (size_t i = 0; i < count; i++)
        want_key(session, &job, count - i, session->db, session->argv[first + i * step]);
    return read_wanted(session, job);
}

enum access access_names(struct session *session, const struct key_name *keys, size_t count)
{
    struct read_job *job = NULL;
    if (read_failed(session))
        return ACCESS_FAILED;
    for (size_t i = 0; i < count; i++)
        want_key(session, &job, count - i, keys[i].db, keys[i].name);
    return read_wanted(session, job);
}
