// RESP on the wire: requests out, replies in, RESP2 and RESP3.
// https://redis.io/docs/latest/develop/reference/protocol-spec/
//
// Bytes are latin1 strings here, in both directions: one character a byte, so that binary keys
// compare and print like others. What a reply is parsed to:
//   status, bulk, verbatim   string          integer    number, bigint when it needs one
//   error                    ReplyError      null       null
//   array, set, push         array           map        Map
//   double                   number          boolean    boolean

export class ReplyError extends Error {}

export class ProtocolError extends Error {}

const CR = 13;

export function toBytes(value) {
    return Buffer.isBuffer(value) ? value : Buffer.from(String(value), 'latin1');
}

export function encodeCommand(args) {
    const parts = [Buffer.from(`*${args.length}\r\n`)];
    for (const arg of args) {
        const bytes = toBytes(arg);
        parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
    }
    return Buffer.concat(parts);
}

const AGGREGATES = { '*': 'array', '~': 'array', '>': 'push', '%': 'map' };

// Takes bytes as they come, gives whole replies: { value, raw, push }. Work is linear in the bytes,
// whatever the size of the pieces.
export class ReplyParser {
    constructor(onReply) {
        this.onReply = onReply;
        this.pieces = [];
        this.pending = 0;    // bytes in `pieces`
        this.needed = 1;     // no token can be complete before there are so many
        this.raw = [];       // what the reply under way consists of, so far
        this.open = [];      // aggregates that still miss elements, outermost first
    }

    feed(piece) {
        this.pieces.push(piece);
        this.pending += piece.length;
        if (this.pending < this.needed) return;
        const data = this.pieces.length === 1 ? piece : Buffer.concat(this.pieces);
        let at = 0;
        for (;;) {
            const next = this.token(data, at);
            if (next < 0) break;
            at = next;
        }
        const rest = data.subarray(at);
        this.pieces = rest.length ? [rest] : [];
        this.pending = rest.length;
    }

    // Reads the header or value at `at`; returns where the next begins, or -1 when it is not whole.
    token(data, at) {
        const end = data.indexOf('\r\n', at);
        if (end < 0) {
            this.needed = data.length - at + 1;
            return -1;
        }
        const type = String.fromCharCode(data[at]);
        const line = data.latin1Slice(at + 1, end);
        let next = end + 2;
        if (type === '$' || type === '=' || type === '!') {
            const length = Number(line);
            if (length >= 0) {
                if (data.length < next + length + 2) {
                    this.needed = next + length + 2 - at;
                    return -1;
                }
                if (data[next + length] !== CR) throw new ProtocolError('bulk without its end');
                this.take(data, at, next + length + 2);
                this.value(blob(type, data.latin1Slice(next, next + length)));
                return next + length + 2;
            }
        }
        this.take(data, at, next);
        if (type in AGGREGATES && line !== '-1') this.aggregate(AGGREGATES[type], Number(line));
        else this.value(scalar(type, line));
        return next;
    }

    take(data, from, to) {
        this.raw.push(data.subarray(from, to));
        this.needed = 1;
    }

    aggregate(kind, count) {
        const missing = kind === 'map' ? count * 2 : count;
        this.open.push({ kind, missing, items: [] });
        this.close();
    }

    value(value) {
        if (!this.open.length) return this.done(value, false);
        const top = this.open.at(-1);
        top.items.push(value);
        top.missing--;
        this.close();
    }

    close() {
        while (this.open.length && this.open.at(-1).missing === 0) {
            const { kind, items } = this.open.pop();
            const value = kind === 'map' ? pairs(items) : items;
            if (!this.open.length) return this.done(value, kind === 'push');
            this.open.at(-1).items.push(value);
            this.open.at(-1).missing--;
        }
    }

    done(value, push) {
        const raw = this.raw.length === 1 ? this.raw[0] : Buffer.concat(this.raw);
        this.raw = [];
        this.onReply({ value, raw, push });
    }
}

function blob(type, text) {
    if (type === '!') return new ReplyError(text);
    return type === '=' ? text.slice(4) : text;
}

function scalar(type, line) {
    switch (type) {
    case '+': return line;
    case '-': return new ReplyError(line);
    case ':': return integer(line);
    case '(': return BigInt(line);
    case ',': return Number(line);
    case '#': return line === 't';
    case '_': return null;
    case '$': case '*': return null;
    default: throw new ProtocolError(`unknown reply type ${JSON.stringify(type + line)}`);
    }
}

function integer(line) {
    const number = Number(line);
    return Number.isSafeInteger(number) ? number : BigInt(line);
}

function pairs(items) {
    const map = new Map();
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
    return map;
}

// A map is a flat array in RESP2: gives the Map for either.
export function asMap(value) {
    return value instanceof Map ? value : pairs(value);
}
