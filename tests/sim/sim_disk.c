#include "tests/sim/sim_disk.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/random.h"
#include "storage/disk_internal.h"

/* More than any test makes. */
#define NAMES_MAX      256
#define OPERATIONS_MAX 1024
#define FILE_BYTES_MAX ((uint64_t)256 << 20)

/* One in so many writes is followed by some writing back. */
#define WRITE_BACK_ONE_IN 8

struct content {
    struct buf bytes;
    uint32_t references; /* names of both kinds, operations, open files */
    struct buf durable;
    struct buf dirty; /* a byte per sector: not zero when it was written since the last sync */
};

struct name {
    char text[DISK_NAME_MAX + 1];
    struct content *content;
};

struct names {
    struct name slots[NAMES_MAX];
    size_t count;
};

enum operation_kind { OPERATION_CREATE, OPERATION_RENAME, OPERATION_REMOVE };

struct operation {
    enum operation_kind kind;
    char from[DISK_NAME_MAX + 1];
    char to[DISK_NAME_MAX + 1];
    struct content *content; /* of OPERATION_CREATE */
};

struct sim_disk {
    struct disk disk;
    struct random random;
    struct names seen;
    struct names durable;
    struct operation operations[OPERATIONS_MAX]; /* seen, and not durable */
    size_t operations_count;
    bool fault_set;
    enum sim_fault fault;
    uint64_t fault_after;
    bool fault_came;
    bool off; /* the power has failed */
    uint64_t bytes_max;
    uint64_t syncs;
};

struct sim_file {
    struct disk_file file;
    struct content *content;
};

static struct sim_disk *sim_of(struct disk *disk)
{
    return container_of(disk, struct sim_disk, disk);
}

static struct content *content_of(struct disk_file *file)
{
    return container_of(file, struct sim_file, file)->content;
}

/* --- contents ------------------------------------------------------------------------------ */

static struct content *content_acquire(struct content *content)
{
    content->references++;
    return content;
}

static void content_release(struct content *content)
{
    if (--content->references > 0)
        return;
    buf_deinit(&content->bytes);
    buf_deinit(&content->durable);
    buf_deinit(&content->dirty);
    mem_free(content);
}

static void resize(struct buf *buf, size_t len)
{
    if (len > buf->len)
        memset(buf_reserve(buf, len - buf->len), 0, len - buf->len);
    buf->len = len;
}

static size_t sectors(size_t bytes)
{
    return (bytes + DISK_SECTOR_BYTES - 1) / DISK_SECTOR_BYTES;
}

static void content_write(struct content *content, uint64_t offset, struct bytes bytes)
{
    if (bytes.len == 0)
        return;
    size_t end = (size_t)offset + bytes.len;
    if (end > content->bytes.len) {
        resize(&content->bytes, end);
        resize(&content->dirty, sectors(end));
    }
    memcpy(content->bytes.data + offset, bytes.data, bytes.len);
    size_t first = (size_t)offset / DISK_SECTOR_BYTES;
    memset(content->dirty.data + first, 1, sectors(end) - first);
}

/* Makes one sector durable. The file grows with it, over a hole that reads as zeros. */
static void content_write_back(struct content *content, size_t sector)
{
    size_t start = sector * DISK_SECTOR_BYTES;
    size_t end = start + DISK_SECTOR_BYTES;
    if (end > content->bytes.len)
        end = content->bytes.len;
    if (end > content->durable.len)
        resize(&content->durable, end);
    memcpy(content->durable.data + start, content->bytes.data + start, end - start);
    content->dirty.data[sector] = 0;
}

/* Makes each dirty sector durable with a probability of `percent`. */
static void content_write_back_some(struct sim_disk *sim, struct content *content, uint64_t percent)
{
    for (size_t i = 0; i < content->dirty.len; i++)
        if (content->dirty.data[i] != 0 && random_below(&sim->random, 100) < percent)
            content_write_back(content, i);
}

static void content_forget_some(struct sim_disk *sim, struct content *content)
{
    for (size_t i = 0; i < content->dirty.len; i++)
        if (random_below(&sim->random, 2) == 0)
            content->dirty.data[i] = 0;
}

static void content_crash(struct sim_disk *sim, struct content *content, uint64_t percent)
{
    content_write_back_some(sim, content, percent);
    buf_reset(&content->bytes, SIZE_MAX);
    buf_add_bytes(&content->bytes, buf_bytes(&content->durable));
    buf_reset(&content->dirty, SIZE_MAX);
    resize(&content->dirty, sectors(content->bytes.len));
}

/* --- names --------------------------------------------------------------------------------- */

static struct name *names_find(struct names *names, const char *text)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->slots[i].text, text) == 0)
            return &names->slots[i];
    return NULL;
}

static void set_text(char out[DISK_NAME_MAX + 1], const char *text)
{
    size_t len = strlen(text);
    CHECK(len <= DISK_NAME_MAX);
    memcpy(out, text, len + 1);
}

static void names_remove(struct names *names, const char *text)
{
    struct name *name = names_find(names, text);
    if (name == NULL)
        return;
    content_release(name->content);
    *name = names->slots[--names->count];
}

static void names_put(struct names *names, const char *text, struct content *content)
{
    content_acquire(content);
    names_remove(names, text);
    CHECK(names->count < NAMES_MAX);
    struct name *name = &names->slots[names->count++];
    set_text(name->text, text);
    name->content = content;
}

/* An operation whose file is not there, because an earlier one was lost, does nothing. */
static void names_apply(struct names *names, const struct operation *operation)
{
    if (operation->kind == OPERATION_CREATE) {
        names_put(names, operation->from, operation->content);
        return;
    }
    struct name *name = names_find(names, operation->from);
    if (name == NULL)
        return;
    if (operation->kind == OPERATION_RENAME)
        names_put(names, operation->to, name->content);
    names_remove(names, operation->from);
}

static void operation_add(struct sim_disk *sim, const struct operation *operation)
{
    CHECK(sim->operations_count < OPERATIONS_MAX);
    names_apply(&sim->seen, operation);
    sim->operations[sim->operations_count++] = *operation;
    if (operation->content != NULL)
        content_acquire(operation->content);
}

/* Makes each operation durable with a probability of `percent` and forgets the others. */
static void operations_settle(struct sim_disk *sim, uint64_t percent)
{
    for (size_t i = 0; i < sim->operations_count; i++) {
        struct operation *operation = &sim->operations[i];
        if (random_below(&sim->random, 100) < percent)
            names_apply(&sim->durable, operation);
        if (operation->content != NULL)
            content_release(operation->content);
    }
    sim->operations_count = 0;
}

/* --- faults -------------------------------------------------------------------------------- */

enum action { ACTION_CHANGE, ACTION_WRITE, ACTION_SYNC };

static bool can_hit(enum sim_fault fault, enum action action)
{
    if (fault == SIM_POWER_FAILS)
        return true;
    return action == (fault == SIM_SYNC_FAILS ? ACTION_SYNC : ACTION_WRITE);
}

/* Whether the fault that was asked for hits this action. */
static bool fault_hits(struct sim_disk *sim, enum action action)
{
    if (!sim->fault_set || sim->fault_came || !can_hit(sim->fault, action))
        return false;
    if (sim->fault_after-- > 0)
        return false;
    sim->fault_came = true;
    sim->off = sim->fault == SIM_POWER_FAILS;
    return true;
}

/* For an operation on names; the power may fail before it or behind it. */
static enum err names_change(struct sim_disk *sim, const struct operation *operation)
{
    if (sim->off)
        return ERR_IO;
    if (!fault_hits(sim, ACTION_CHANGE)) {
        operation_add(sim, operation);
        return ERR_OK;
    }
    if (random_below(&sim->random, 2) == 0)
        operation_add(sim, operation);
    return ERR_IO;
}

/* --- the disk ------------------------------------------------------------------------------ */

static enum err sim_list(struct disk *disk, disk_on_name on_name, void *context)
{
    struct sim_disk *sim = sim_of(disk);
    if (sim->off)
        return ERR_IO;
    for (size_t i = 0; i < sim->seen.count; i++)
        on_name(context, bytes_of_string(sim->seen.slots[i].text));
    return ERR_OK;
}

static struct disk_file *file_of(struct disk *disk, struct content *content)
{
    struct sim_file *file = mem_zalloc(sizeof(*file));
    file->file.disk = disk;
    file->content = content_acquire(content);
    return &file->file;
}

static enum err sim_open(struct disk *disk, const char *name, struct disk_file **out)
{
    struct sim_disk *sim = sim_of(disk);
    if (sim->off)
        return ERR_IO;
    struct name *found = names_find(&sim->seen, name);
    if (found == NULL)
        return ERR_NOT_FOUND;
    *out = file_of(disk, found->content);
    return ERR_OK;
}

static enum err sim_create(struct disk *disk, const char *name, struct disk_file **out)
{
    struct sim_disk *sim = sim_of(disk);
    if (names_find(&sim->seen, name) != NULL)
        return ERR_IO;
    struct content *content = content_acquire(mem_zalloc(sizeof(*content)));
    struct operation operation = {.kind = OPERATION_CREATE, .content = content};
    set_text(operation.from, name);
    enum err err = names_change(sim, &operation);
    if (err == ERR_OK)
        *out = file_of(disk, content);
    content_release(content);
    return err;
}

static enum err sim_rename(struct disk *disk, const char *from, const char *to)
{
    struct sim_disk *sim = sim_of(disk);
    if (!sim->off && names_find(&sim->seen, from) == NULL)
        return ERR_NOT_FOUND;
    struct operation operation = {.kind = OPERATION_RENAME};
    set_text(operation.from, from);
    set_text(operation.to, to);
    return names_change(sim, &operation);
}

static enum err sim_remove(struct disk *disk, const char *name)
{
    struct sim_disk *sim = sim_of(disk);
    if (!sim->off && names_find(&sim->seen, name) == NULL)
        return ERR_NOT_FOUND;
    struct operation operation = {.kind = OPERATION_REMOVE};
    set_text(operation.from, name);
    return names_change(sim, &operation);
}

/* A failure leaves the names to the crash: of directories no system is known to forget. */
static enum err sim_sync_names(struct disk *disk)
{
    struct sim_disk *sim = sim_of(disk);
    if (sim->off || fault_hits(sim, ACTION_SYNC))
        return ERR_IO;
    operations_settle(sim, 100);
    sim->syncs++;
    return ERR_OK;
}

static void names_deinit(struct names *names)
{
    while (names->count > 0)
        content_release(names->slots[--names->count].content);
}

static void sim_close(struct disk *disk)
{
    struct sim_disk *sim = sim_of(disk);
    operations_settle(sim, 0);
    names_deinit(&sim->seen);
    names_deinit(&sim->durable);
    mem_free(sim);
}

static enum err sim_file_size(struct disk_file *file, uint64_t *out)
{
    if (sim_of(file->disk)->off)
        return ERR_IO;
    *out = content_of(file)->bytes.len;
    return ERR_OK;
}

static enum err sim_file_read(struct disk_file *file, uint64_t offset, char *data, size_t len,
                              size_t *got)
{
    if (sim_of(file->disk)->off)
        return ERR_IO;
    struct bytes bytes = buf_bytes(&content_of(file)->bytes);
    *got = 0;
    if (offset >= bytes.len || len == 0)
        return ERR_OK;
    *got = bytes.len - offset < len ? bytes.len - (size_t)offset : len;
    memcpy(data, bytes.data + offset, *got);
    return ERR_OK;
}

/* Writes each sector of `bytes` or not. */
static void write_torn(struct sim_disk *sim, struct content *content, uint64_t offset,
                       struct bytes bytes)
{
    while (bytes.len > 0) {
        size_t len = DISK_SECTOR_BYTES - (size_t)(offset % DISK_SECTOR_BYTES);
        if (len > bytes.len)
            len = bytes.len;
        if (random_below(&sim->random, 2) == 0)
            content_write(content, offset, bytes_of(bytes.data, len));
        offset += len;
        bytes = bytes_of(bytes.data + len, bytes.len - len);
    }
}

static void write_badly(struct sim_disk *sim, struct content *content, uint64_t offset,
                        struct bytes bytes)
{
    if (sim->fault == SIM_WRITE_SHORT)
        bytes.len = (size_t)random_below(&sim->random, bytes.len + 1);
    if (sim->fault == SIM_WRITE_SHORT)
        content_write(content, offset, bytes);
    else if (sim->fault != SIM_WRITE_FAILS)
        write_torn(sim, content, offset, bytes);
}

static uint64_t bytes_used(struct sim_disk *sim)
{
    uint64_t used = 0;
    for (size_t i = 0; i < sim->seen.count; i++)
        used += sim->seen.slots[i].content->bytes.len;
    return used;
}

static bool has_space(struct sim_disk *sim, const struct content *content, uint64_t end)
{
    return end <= content->bytes.len ||
           bytes_used(sim) + (end - content->bytes.len) <= sim->bytes_max;
}

static enum err write_whole(struct sim_disk *sim, struct content *content, uint64_t offset,
                            struct bytes bytes)
{
    if (sim->off)
        return ERR_IO;
    if (!has_space(sim, content, offset + bytes.len))
        return ERR_NO_SPACE;
    if (fault_hits(sim, ACTION_WRITE)) {
        write_badly(sim, content, offset, bytes);
        return ERR_IO;
    }
    content_write(content, offset, bytes);
    if (random_below(&sim->random, WRITE_BACK_ONE_IN) == 0)
        content_write_back_some(sim, content, random_below(&sim->random, 101));
    return ERR_OK;
}

static enum err sim_file_write(struct disk_file *file, uint64_t offset, const struct bytes *parts,
                               size_t count)
{
    struct buf whole;
    buf_init(&whole);
    for (size_t i = 0; i < count; i++)
        buf_add_bytes(&whole, parts[i]);
    CHECK(offset + whole.len <= FILE_BYTES_MAX);
    enum err err = write_whole(sim_of(file->disk), content_of(file), offset, buf_bytes(&whole));
    buf_deinit(&whole);
    return err;
}

static enum err sim_file_sync(struct disk_file *file)
{
    struct sim_disk *sim = sim_of(file->disk);
    struct content *content = content_of(file);
    if (sim->off)
        return ERR_IO;
    bool fails = fault_hits(sim, ACTION_SYNC);
    content_write_back_some(sim, content, fails ? random_below(&sim->random, 101) : 100);
    if (fails && !sim->off)
        content_forget_some(sim, content);
    sim->syncs++;
    return fails ? ERR_IO : ERR_OK;
}

static void sim_file_close(struct disk_file *file)
{
    content_release(content_of(file));
    mem_free(file);
}

static const struct disk_ops sim_ops = {
    .list = sim_list,
    .open = sim_open,
    .create = sim_create,
    .rename = sim_rename,
    .remove = sim_remove,
    .sync_names = sim_sync_names,
    .close = sim_close,
    .file_size = sim_file_size,
    .file_read = sim_file_read,
    .file_write = sim_file_write,
    .file_sync = sim_file_sync,
    .file_close = sim_file_close,
};

struct disk *sim_disk_open(uint64_t seed)
{
    struct sim_disk *sim = mem_zalloc(sizeof(*sim));
    sim->disk.ops = &sim_ops;
    sim->bytes_max = UINT64_MAX;
    random_init(&sim->random, seed);
    return &sim->disk;
}

void sim_disk_fail(struct disk *disk, enum sim_fault fault, uint64_t after)
{
    struct sim_disk *sim = sim_of(disk);
    sim->fault_set = true;
    sim->fault_came = false;
    sim->fault = fault;
    sim->fault_after = after;
}

bool sim_disk_heal(struct disk *disk)
{
    struct sim_disk *sim = sim_of(disk);
    bool came = sim->fault_set && sim->fault_came;
    CHECK(!sim->off);
    sim->fault_set = false;
    return came;
}

void sim_disk_limit(struct disk *disk, uint64_t bytes)
{
    sim_of(disk)->bytes_max = bytes;
}

/* How much survives: sometimes nothing, sometimes all, else something between. */
static uint64_t survival_percent(struct sim_disk *sim)
{
    static const uint64_t percents[] = {0, 10, 50, 90, 100};
    return percents[random_below(&sim->random, sizeof(percents) / sizeof(percents[0]))];
}

void sim_disk_crash(struct disk *disk)
{
    struct sim_disk *sim = sim_of(disk);
    operations_settle(sim, survival_percent(sim));
    names_deinit(&sim->seen);
    uint64_t percent = survival_percent(sim);
    for (size_t i = 0; i < sim->durable.count; i++) {
        const struct name *name = &sim->durable.slots[i];
        content_crash(sim, name->content, percent);
        names_put(&sim->seen, name->text, name->content);
    }
    sim->off = false;
    sim->fault_set = false;
}

void sim_disk_damage(struct disk *disk, const char *name, uint64_t offset, unsigned char mask)
{
    struct name *found = names_find(&sim_of(disk)->seen, name);
    CHECK(found != NULL && offset < found->content->bytes.len);
    char damaged = (char)((unsigned char)found->content->bytes.data[offset] ^ mask);
    content_write(found->content, offset, bytes_of(&damaged, 1));
    content_write_back(found->content, (size_t)offset / DISK_SECTOR_BYTES);
}

uint64_t sim_disk_size(struct disk *disk, const char *name)
{
    struct name *found = names_find(&sim_of(disk)->seen, name);
    return found == NULL ? UINT64_MAX : found->content->bytes.len;
}

size_t sim_disk_files(struct disk *disk)
{
    return sim_of(disk)->seen.count;
}

uint64_t sim_disk_syncs(struct disk *disk)
{
    return sim_of(disk)->syncs;
}
