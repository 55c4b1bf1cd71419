/* How the invariants of commit_log.h are kept
 *
 * Making a segment. A file is prepared under a free-* name (header with a new nonce, zeros where it
 * is new), synced, and only then renamed to log-*, and the directory synced: a log-* file always
 * has its header, and no record is ever in a file that a crash could take away. The segment before
 * it is synced first. So a log-* file says that everything before its first LSN is durable, and a
 * segment that does not reach the next one's first LSN is damaged (invariant 3). A crash on the way
 * leaves a free-* file, which the next open takes or removes.
 *
 * Letting go of a segment. It is renamed to free-* or removed; the directory is synced before a
 * free file is written to, so that a crash cannot give a log-* name back to a file with another
 * content. If the crash undoes a rename or a removal, the segment is there again, all its records
 * are older than what the next open asks for, and it is let go of again.
 *
 * Ending the log. Within the last segment the first record that does not check ends the log, unless
 * a later header in the file says that it was synced (invariant 3). Every open then starts a new
 * segment, and a segment is never read past its successor's first LSN: what lies behind a torn
 * record N is out of reach for good, even if it is a whole record N + 1 and another record N comes
 * to be (invariant 2). A last segment without any record is made anew, with another nonce, for the
 * same reason.
 *
 * Trusting the tail. What open has read may be in the kernel's memory only: after a kill, or
 * because a sync failed and the kernel holds the pages for clean. Records that no later record
 * calls synced are therefore written again as they are, and the segment is synced, before the log
 * goes on.
 *
 * Writing ahead. A record's write goes on with zeros to the end of its page: the kernel would have
 * to read that page from a recycled file first if only a part of it were written. */
#include "storage/commit_log.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/random.h"
#include "storage/commit_segment.h"

#include <assert.h>
#include <stdlib.h>

#define ZEROS_BYTES ((size_t)64 << 10)
/* A file of more than this many times segment_bytes, blown up by a huge record, is not kept. */
#define RECYCLED_SIZE_FACTOR 2

static_assert(SEGMENT_PAGE_BYTES <= ZEROS_BYTES, "one part of zeros fills any page");

static const char zeros[ZEROS_BYTES];

struct segment {
    uint64_t first;
    uint64_t bytes; /* the file's size */
};

struct commit_log {
    struct disk *disk;
    struct commit_log_options options;
    struct segment *segments; /* in use, ascending; the last one is appended to */
    size_t segments_count;
    size_t segments_cap;
    uint64_t recycled[COMMIT_RECYCLED_MAX]; /* numbers of the free files */
    size_t recycled_count;
    uint64_t free_next;  /* no free file has this number or a greater one */
    bool names_unsynced; /* a free file's name may not be durable */
    /* Of the last segment: */
    struct disk_file *file; /* NULL while opening */
    uint64_t nonce;
    uint64_t at;     /* where the next record goes */
    uint64_t next;   /* its LSN */
    uint64_t synced; /* everything up to this LSN is durable */
    bool failed;
};

static uint64_t round_up(uint64_t value, uint64_t step)
{
    return (value + step - 1) / step * step;
}

static struct segment *last_segment(struct commit_log *log)
{
    return &log->segments[log->segments_count - 1];
}

static void segments_add(struct commit_log *log, uint64_t first, uint64_t bytes)
{
    if (log->segments_count == log->segments_cap) {
        log->segments_cap = log->segments_cap == 0 ? 16 : log->segments_cap * 2;
        log->segments = mem_realloc(log->segments, log->segments_cap * sizeof(*log->segments));
    }
    log->segments[log->segments_count++] = (struct segment){first, bytes};
}

static enum err write_zeros(struct disk_file *file, uint64_t from, uint64_t to)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && from < to) {
        struct bytes parts[DISK_PARTS_MAX];
        size_t count = 0;
        uint64_t end = from;
        while (count < DISK_PARTS_MAX && end < to) {
            size_t len = to - end < ZEROS_BYTES ? (size_t)(to - end) : ZEROS_BYTES;
            parts[count++] = bytes_of(zeros, len);
            end += len;
        }
        err = disk_file_write(file, from, parts, count);
        from = end;
    }
    return err;
}

/* Where a file that is written up to `end` is zero-filled to. */
static uint64_t extent_end(const struct commit_log *log, uint64_t end)
{
    uint64_t extended = round_up(end, log->options.extend_bytes);
    uint64_t full = round_up(log->options.segment_bytes, SEGMENT_PAGE_BYTES);
    uint64_t wanted = extended < full ? extended : full;
    return wanted > end ? wanted : end;
}

/* Opens a free file: one to recycle where there is one, else a new one. */
static enum err free_file_take(struct commit_log *log, char name[SEGMENT_NAME_BYTES],
                               struct disk_file **out)
{
    if (log->recycled_count == 0) {
        segment_free_name(log->free_next++, name);
        return disk_create(log->disk, name, out);
    }
    if (log->names_unsynced) {
        enum err err = disk_sync_names(log->disk);
        if (err != ERR_OK)
            return err;
        log->names_unsynced = false;
    }
    segment_free_name(log->recycled[--log->recycled_count], name);
    return disk_open(log->disk, name, out);
}

/* Makes `file` an empty segment that begins with the next LSN, durably. */
static enum err segment_prepare(struct commit_log *log, struct disk_file *file, uint64_t nonce,
                                uint64_t *bytes)
{
    uint64_t size;
    enum err err = disk_file_size(file, &size);
    if (err != ERR_OK)
        return err;
    char header[SEGMENT_HEADER_BYTES];
    segment_header_encode(log->next, nonce, header);
    struct bytes part = bytes_of(header, sizeof(header));
    err = disk_file_write(file, 0, &part, 1);
    if (err != ERR_OK)
        return err;
    if (size <= SEGMENT_HEADER_BYTES) {
        size = extent_end(log, SEGMENT_HEADER_BYTES);
        err = write_zeros(file, SEGMENT_HEADER_BYTES, size);
        if (err != ERR_OK)
            return err;
    }
    *bytes = size;
    return disk_file_sync(file);
}

static enum err segment_publish(struct commit_log *log, const char *free_name)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(log->next, name);
    enum err err = disk_rename(log->disk, free_name, name);
    if (err != ERR_OK)
        return err;
    err = disk_sync_names(log->disk);
    if (err == ERR_OK)
        log->names_unsynced = false;
    return err;
}

/* Starts the segment of the next LSN; everything before it must be durable. */
static enum err segment_start(struct commit_log *log)
{
    char name[SEGMENT_NAME_BYTES];
    struct disk_file *file;
    enum err err = free_file_take(log, name, &file);
    if (err != ERR_OK)
        return err;
    uint64_t nonce = random_seed();
    uint64_t bytes;
    err = segment_prepare(log, file, nonce, &bytes);
    if (err == ERR_OK)
        err = segment_publish(log, name);
    if (err != ERR_OK) {
        disk_file_close(file);
        return err;
    }
    if (log->file != NULL)
        disk_file_close(log->file);
    log->file = file;
    log->nonce = nonce;
    log->at = SEGMENT_HEADER_BYTES;
    segments_add(log, log->next, bytes);
    return ERR_OK;
}

/* Lets go of a segment's file. */
static enum err segment_discard(struct commit_log *log, const struct segment *segment)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(segment->first, name);
    if (log->recycled_count >= log->options.recycled_max ||
        segment->bytes / RECYCLED_SIZE_FACTOR > log->options.segment_bytes)
        return disk_remove(log->disk, name);
    char free_name[SEGMENT_NAME_BYTES];
    segment_free_name(log->free_next, free_name);
    enum err err = disk_rename(log->disk, name, free_name);
    if (err != ERR_OK)
        return err;
    log->recycled[log->recycled_count++] = log->free_next++;
    log->names_unsynced = true;
    return ERR_OK;
}

static enum err sync_records(struct commit_log *log)
{
    if (log->synced == log->next - 1)
        return ERR_OK;
    enum err err = disk_file_sync(log->file);
    if (err == ERR_OK)
        log->synced = log->next - 1;
    return err;
}

static enum err segment_rotate(struct commit_log *log)
{
    enum err err = sync_records(log);
    return err == ERR_OK ? segment_start(log) : err;
}

static enum err record_write(struct commit_log *log, struct bytes payload)
{
    char header[RECORD_HEADER_BYTES];
    record_header_encode(log->next, log->synced, payload, log->nonce, header);
    uint64_t payload_end = log->at + RECORD_HEADER_BYTES + payload.len;
    uint64_t page_end = round_up(payload_end, SEGMENT_PAGE_BYTES);
    struct bytes parts[] = {
        bytes_of(header, sizeof(header)),
        payload,
        bytes_of(zeros, (size_t)(page_end - payload_end)),
    };
    enum err err = disk_file_write(log->file, log->at, parts, 3);
    if (err != ERR_OK)
        return err;
    log->at += record_bytes(payload.len);
    log->next++;
    struct segment *segment = last_segment(log);
    if (page_end <= segment->bytes)
        return ERR_OK;
    segment->bytes = extent_end(log, page_end);
    return write_zeros(log->file, page_end, segment->bytes);
}

static enum err record_append(struct commit_log *log, struct bytes payload, bool sync)
{
    enum err err = ERR_OK;
    if (log->at >= log->options.segment_bytes && log->next > last_segment(log)->first)
        err = segment_rotate(log);
    if (err == ERR_OK)
        err = record_write(log, payload);
    if (err == ERR_OK && sync)
        err = sync_records(log);
    return err;
}

/* Lets the first error of a log's life through and makes it stick. */
static enum err remember(struct commit_log *log, enum err err)
{
    log->failed = err != ERR_OK;
    return err;
}

enum err commit_log_append(struct commit_log *log, uint64_t lsn, struct bytes payload, bool sync)
{
    if (log->failed)
        return ERR_FAILED;
    CHECK(lsn == log->next);
    CHECK(payload.len <= COMMIT_PAYLOAD_MAX);
    return remember(log, record_append(log, payload, sync));
}

enum err commit_log_sync(struct commit_log *log)
{
    return log->failed ? ERR_FAILED : remember(log, sync_records(log));
}

static enum err release(struct commit_log *log, uint64_t upto)
{
    bool empty = log->next == last_segment(log)->first;
    enum err err = ERR_OK;
    if (!empty && (log->next - 1 <= upto || log->at >= log->options.segment_bytes))
        err = segment_rotate(log);
    size_t done = 0;
    while (err == ERR_OK && done + 1 < log->segments_count &&
           log->segments[done + 1].first - 1 <= upto)
        err = segment_discard(log, &log->segments[done++]);
    log->segments_count -= done;
    memmove(log->segments, log->segments + done, log->segments_count * sizeof(*log->segments));
    return err;
}

enum err commit_log_release(struct commit_log *log, uint64_t upto)
{
    if (log->failed)
        return ERR_FAILED;
    return remember(log, release(log, upto < log->next ? upto : log->next - 1));
}

uint64_t commit_log_next(const struct commit_log *log)
{
    return log->next;
}

uint64_t commit_log_bytes(const struct commit_log *log)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < log->segments_count; i++)
        bytes += log->segments[i].bytes;
    return bytes;
}

struct replay {
    uint64_t first;
    commit_log_on_record on_record;
    void *context;
    /* Records of the segment before `doubt_at` are known to be durable. So are those before
     * `mark_at` once a record says that `mark_lsn` is synced. */
    uint64_t doubt_at;
    uint64_t mark_at;
    uint64_t mark_lsn;
};

static void names_add(void *context, struct bytes name)
{
    struct commit_log *log = context;
    uint64_t number;
    if (segment_name_parse(name, &number)) {
        segments_add(log, number, 0);
    } else if (segment_free_name_parse(name, &number)) {
        if (number >= log->free_next)
            log->free_next = number + 1;
        if (log->recycled_count < COMMIT_RECYCLED_MAX)
            log->recycled[log->recycled_count++] = number;
    }
}

static int segment_compare(const void *a, const void *b)
{
    const struct segment *left = a;
    const struct segment *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

static enum err segment_measure(struct commit_log *log, struct segment *segment)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(segment->first, name);
    struct disk_file *file;
    enum err err = disk_open(log->disk, name, &file);
    if (err != ERR_OK)
        return err;
    err = disk_file_size(file, &segment->bytes);
    disk_file_close(file);
    return err;
}

/* Finds out what files there are. */
static enum err names_load(struct commit_log *log)
{
    enum err err = disk_list(log->disk, names_add, log);
    if (err != ERR_OK)
        return err;
    if (log->segments_count > 0)
        qsort(log->segments, log->segments_count, sizeof(*log->segments), segment_compare);
    for (size_t i = 0; err == ERR_OK && i < log->segments_count; i++)
        err = segment_measure(log, &log->segments[i]);
    while (err == ERR_OK && log->recycled_count > log->options.recycled_max) {
        char name[SEGMENT_NAME_BYTES];
        segment_free_name(log->recycled[--log->recycled_count], name);
        err = disk_remove(log->disk, name);
    }
    log->names_unsynced = true;
    return err;
}

static void replay_mark(struct replay *replay, const struct segment_reader *reader, uint64_t synced)
{
    if (synced < replay->mark_lsn)
        return;
    replay->doubt_at = replay->mark_at;
    replay->mark_at = reader->at;
    replay->mark_lsn = reader->lsn - 1;
}

/* Reads records up to `end`. ERR_END: there is none where one should be, or the log's end. */
static enum err replay_records(struct replay *replay, struct segment_reader *reader, uint64_t end)
{
    while (reader->lsn < end) {
        bool wanted = reader->lsn >= replay->first;
        struct segment_record record;
        enum err err = segment_reader_next(reader, wanted, &record);
        if (err != ERR_OK)
            return err;
        replay_mark(replay, reader, record.synced);
        if (wanted)
            err = replay->on_record(replay->context, record.lsn, record.payload);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

/* The reader stands where the log ends, or where it is damaged. */
static enum err replay_end(struct commit_log *log, struct replay *replay,
                           struct segment_reader *reader)
{
    bool damaged;
    enum err err = segment_reader_was_synced(reader, &damaged);
    if (err != ERR_OK)
        return err;
    if (damaged)
        return ERR_CORRUPT;
    if (reader->lsn > log->next)
        log->next = reader->lsn;
    if (reader->lsn > last_segment(log)->first)
        return segment_reader_settle(reader, replay->doubt_at);
    log->segments_count--;
    return segment_discard(log, &log->segments[log->segments_count]);
}

static enum err replay_segment(struct commit_log *log, struct replay *replay, size_t index)
{
    bool is_last = index + 1 == log->segments_count;
    uint64_t first = log->segments[index].first;
    struct segment_reader reader;
    enum err err = segment_reader_open(&reader, log->disk, first);
    if (err != ERR_OK)
        return err;
    replay->doubt_at = reader.at;
    replay->mark_at = reader.at;
    replay->mark_lsn = first - 1;
    err = replay_records(replay, &reader, is_last ? UINT64_MAX : log->segments[index + 1].first);
    if (err == ERR_END)
        err = is_last ? replay_end(log, replay, &reader) : ERR_CORRUPT;
    segment_reader_close(&reader);
    return err;
}

static enum err replay_all(struct commit_log *log, struct replay *replay)
{
    if (log->segments_count == 0)
        return ERR_OK;
    if (log->segments[0].first > replay->first)
        return ERR_CORRUPT;
    size_t begin = 0;
    while (begin + 1 < log->segments_count && log->segments[begin + 1].first <= replay->first)
        begin++;
    enum err err = ERR_OK;
    size_t end = log->segments_count;
    for (size_t i = begin; err == ERR_OK && i < end; i++)
        err = replay_segment(log, replay, i);
    return err;
}

enum err commit_log_open(struct disk *disk, const struct commit_log_options *options,
                         uint64_t first, commit_log_on_record on_record, void *context,
                         struct commit_log **out)
{
    CHECK(first > 0);
    CHECK(options->extend_bytes > 0 && options->recycled_max <= COMMIT_RECYCLED_MAX);
    struct commit_log *log = mem_zalloc(sizeof(*log));
    log->disk = disk;
    log->options = *options;
    log->options.extend_bytes = round_up(options->extend_bytes, SEGMENT_PAGE_BYTES);
    log->next = first;
    struct replay replay = {.first = first, .on_record = on_record, .context = context};
    enum err err = names_load(log);
    if (err == ERR_OK)
        err = replay_all(log, &replay);
    if (err == ERR_OK)
        err = segment_start(log);
    if (err != ERR_OK) {
        commit_log_close(log);
        return err;
    }
    log->synced = log->next - 1;
    *out = log;
    return ERR_OK;
}

void commit_log_close(struct commit_log *log)
{
    if (log->file != NULL)
        disk_file_close(log->file);
    mem_free(log->segments);
    mem_free(log);
}
