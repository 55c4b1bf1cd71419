/* commit_segment: the bytes of one segment file of the commit log, and reading them back.
 *
 * A segment is a header block and then records, each 8-byte aligned, with consecutive LSNs
 * (storage/FORMAT.md, "Commit log", draws them). What lies behind the last record is zeros or the
 * remains of an earlier life of the file.
 *
 * Those remains are never taken for records: every life of a file begins with a new random nonce in
 * its header, durable before the first record, and the nonce seeds the checksums of all records.
 *
 * Internal to storage/commit_log.c. */
#ifndef WEIR_STORAGE_COMMIT_SEGMENT_H
#define WEIR_STORAGE_COMMIT_SEGMENT_H

#include "base/buf.h"
#include "base/err.h"
#include "storage/disk.h"

/* The header has a page to itself, so that no write of a record ever touches it again. */
#define SEGMENT_PAGE_BYTES   4096
#define SEGMENT_HEADER_BYTES SEGMENT_PAGE_BYTES
#define RECORD_HEADER_BYTES  32
#define RECORD_ALIGN         8

/* "log-" and the first LSN in 20 digits. */
#define SEGMENT_NAME_BYTES (DISK_NAME_MAX + 1)
void segment_name(uint64_t first, char out[SEGMENT_NAME_BYTES]);
/* "free-" and a number. */
void segment_free_name(uint64_t number, char out[SEGMENT_NAME_BYTES]);
/* False when `name` is none. */
bool segment_name_parse(struct bytes name, uint64_t *first);
bool segment_free_name_parse(struct bytes name, uint64_t *number);

void segment_header_encode(uint64_t first, uint64_t nonce, char out[SEGMENT_HEADER_BYTES]);
/* `synced` is the LSN up to which everything is known to be durable. */
void record_header_encode(uint64_t lsn, uint64_t synced, struct bytes payload, uint64_t nonce,
                          char out[RECORD_HEADER_BYTES]);

/* Header, payload and what aligns the next record. */
uint64_t record_bytes(uint64_t payload_len);

/* Reads through a window that grows no larger than the largest record (or a fixed size, if that is
 * more). */
struct segment_reader {
    struct disk_file *file;
    uint64_t nonce;
    uint64_t size; /* of the file */
    uint64_t lsn;  /* of the next record */
    uint64_t at;   /* where that begins */
    struct buf window;
    uint64_t window_at;
};

struct segment_record {
    uint64_t lsn;
    uint64_t synced;
    struct bytes payload; /* empty when not asked for; valid until the next call */
};

/* Opens the segment that is named after `first`. ERR_CORRUPT when its header is not that segment's,
 * ERR_TOO_NEW, errors of disk. Nothing to close on error. */
MUST_CHECK enum err segment_reader_open(struct segment_reader *reader, struct disk *disk,
                                        uint64_t first);
void segment_reader_close(struct segment_reader *reader);

/* Reads the next record and steps behind it. Without `with_payload` the payload is skipped, neither
 * read nor checked. ERR_END: there is no such record, or not the whole of it; errors of disk. */
MUST_CHECK enum err segment_reader_next(struct segment_reader *reader, bool with_payload,
                                        struct segment_record *out);

/* After ERR_END: whether the record that is missing was once known to be durable, which a later
 * record tells. Looks at the rest of the file. */
MUST_CHECK enum err segment_reader_was_synced(struct segment_reader *reader, bool *out);

/* Writes the bytes from `from` to the next record's place over themselves and syncs the file. */
MUST_CHECK enum err segment_reader_settle(struct segment_reader *reader, uint64_t from);

#endif
