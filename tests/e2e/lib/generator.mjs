// Random commands, valid and not, on few keys, so that their effects meet.
//
// A generator remembers the last ids it was told of (learn), so that most explicit ids are near the
// ends of what exists. It gives argument lists of latin1 strings; it knows nothing of replies.

const ID_MAX = '18446744073709551615';
const MS_FAR = 10n ** 16n;
const IDS_KEPT = 12;

export const DATABASES = 3;

const KEYS = ['a', 'b', 'c', 'feed:1', 'feed:{1}:x', '', '\x00\r\n\xff', 'A', 'x'.repeat(300)];

const IDS_VALID = ['0-1', '1', '1-1', '2-0', '5', '5-5', '7-3', '20-0', '1000-1',
    '9999999999999-0', '9999999999999-7', `1-${ID_MAX}`, '0000000001-01'];
const IDS_EDGE = ['0', '0-0', `${ID_MAX}`, `${ID_MAX}-${ID_MAX}`, `${ID_MAX}-1`,
    `18446744073709551614-${ID_MAX}`, `0-${ID_MAX}`];
const IDS_INVALID = ['', 'abc', '1-', '-1', '-1-1', '1-2-3', '1-a', 'a-1', '18446744073709551616',
    '1-18446744073709551616', ' 1', '1 ', '+5', '1.5', '0x10', '1--1', '-', '+', '(', '(1', '$',
    '*', '>', '1\x00', '99999999999999999999999999999-1', '**', '*-1', '5-*x'];
const IDS_PARTIAL = ['5-*', '0-*', '1-*', '9999999999999-*', `${ID_MAX}-*`, '20-*'];

const COUNTS = ['0', '1', '2', '3', '5', '10', '100', '1000000', '9223372036854775807'];
const COUNTS_INVALID = ['-1', '-5', '-9223372036854775808', '9223372036854775808', 'x', '', '1.5',
    ' 1', '01', '+1', '18446744073709551615'];

const TYPES = ['stream', 'stream', 'string', 'Stream', ''];

export class Generator {
    constructor(random, options = {}) {
        this.random = random;
        this.valueBytesMax = options.valueBytesMax ?? 2000;
        this.keys = options.keys ?? KEYS;
        this.ids = new Map();  // key -> ids seen, newest last
        this.queue = [];       // of a burst under way
        this.rows = [
            [2, () => this.burst()], [300, () => this.xadd()],
            [30, () => this.xlen()], [80, () => this.xrange()],
            [40, () => this.xread()], [6, () => this.xreadBlocking()], [60, () => this.xdel()],
            [40, () => this.xtrim()], [20, () => this.xsetid()], [50, () => this.xinfo()],
            [12, () => this.removal()], [16, () => this.lookup()], [16, () => this.rename()],
            [24, () => this.copy()], [16, () => this.listing()], [8, () => this.object()],
            [2, () => this.flush()], [8, () => this.select()], [2, () => this.swap()],
            [8, () => this.talk()], [8, () => this.nonsense()],
        ];
    }

    next() {
        if (this.queue.length) return this.queue.pop()();
        const args = this.random.weighted(this.rows)();
        return this.random.chance(0.04) ? this.mutate(args) : args;
    }

    // A feed's id that a server answered with.
    learn(key, id) {
        const ids = this.ids.get(key) ?? [];
        ids.push(id);
        if (ids.length > IDS_KEPT) ids.shift();
        this.ids.set(key, ids);
    }

    // Its last id is so great that hardly any can follow.
    isFull(key) {
        return BigInt(this.ids.get(key)?.at(-1).split('-')[0] ?? 0) > MS_FAR;
    }

    key() {
        return this.random.chance(0.75)
            ? this.keys[this.random.below(3)] : this.random.pick(this.keys);
    }

    knownId(key) {
        const ids = this.ids.get(key);
        return ids ? this.random.pick(ids) : this.random.pick(IDS_VALID);
    }

    id(key) {
        return this.random.weighted([
            [60, () => this.knownId(key)],
            [15, () => this.knownId(key).split('-')[0]],
            [25, () => this.random.pick(IDS_VALID)],
            [6, () => this.random.pick(IDS_EDGE)],
            [4, () => this.random.pick(IDS_INVALID)],
        ])();
    }

    // An id that XADD will mostly take.
    idAfter(key) {
        const last = this.ids.get(key)?.at(-1) ?? '0-0';
        const [ms, sequence] = last.split('-').map(BigInt);
        if (this.isFull(key)) return this.random.pick(IDS_EDGE);
        return this.random.weighted([
            [4, () => `${ms}-${sequence + BigInt(this.random.between(1, 3))}`],
            [4, () => `${ms + BigInt(this.random.between(1, 3))}-${this.random.below(4)}`],
            [2, () => `${ms + 1n}`],
        ])();
    }

    idToAdd(key) {
        return this.random.weighted([
            [50, () => this.idAfter(key)],
            [25, () => '*'],
            [6, () => `${this.knownId(key).split('-')[0]}-*`],
            [4, () => this.random.pick(IDS_PARTIAL)],
            [8, () => this.id(key)],
            [1, () => this.random.pick(IDS_EDGE)],
            [3, () => this.random.pick(IDS_INVALID)],
        ])();
    }

    bound(key) {
        return this.random.weighted([
            [3, () => '-'], [3, () => '+'], [8, () => this.id(key)],
            [3, () => `(${this.id(key)}`], [1, () => this.random.pick(['(-', '(+', '(', '((1'])],
        ])();
    }

    count() {
        return this.random.chance(0.9)
            ? this.random.pick(COUNTS) : this.random.pick(COUNTS_INVALID);
    }

    value() {
        return this.random.weighted([
            [3, () => ''],
            [50, () => `v${this.random.below(1000)}`],
            [20, () => this.random.bytes(this.random.below(60))],
            [15, () => 'y'.repeat(this.random.below(300))],
            [6, () => 'z'.repeat(this.random.below(this.valueBytesMax))],
        ])();
    }

    fields() {
        const fields = [];
        const pairs = this.random.weighted([[60, 1], [20, 2], [10, 5], [1, 40]]);
        for (let i = 0; i < pairs; i++) fields.push(`f${this.random.below(4)}`, this.value());
        if (this.random.chance(0.03)) fields.push('odd');
        return fields;
    }

    trimming(key) {
        const args = [];
        const byId = this.random.chance(0.4);
        args.push(this.word(byId ? 'MINID' : 'MAXLEN'));
        const mark = this.random.weighted([[3, null], [3, '='], [3, '~']]);
        if (mark) args.push(mark);
        args.push(byId ? this.id(key) : this.length());
        if (this.random.chance(mark === '~' ? 0.4 : 0.04)) args.push('LIMIT', this.count());
        return args;
    }

    // Thresholds that leave something, mostly.
    length() {
        return this.random.chance(0.3)
            ? this.count() : String(this.random.pick([1, 3, 10, 30, 90, 100, 101, 200, 250]));
    }

    // Commands and options are taken in any case.
    word(word) {
        return this.random.chance(0.1) ? word.toLowerCase() : word;
    }

    // Many entries to one feed, so that it has chunks.
    burst() {
        const key = this.key();
        const fields = this.fields();
        const id = this.random.pick([() => this.idAfter(key), () => '*', () => '9999999999999-*']);
        for (let i = this.random.between(10, 200); i > 0; i--) {
            this.queue.push(() => ['XADD', key, id(), ...fields, 'i', String(i)]);
        }
        return ['XLEN', key];
    }

    xadd() {
        const key = this.key();
        if (this.isFull(key) && this.random.chance(0.2)) return ['DEL', key];
        const options = [];
        if (this.random.chance(0.08)) options.push(this.word('NOMKSTREAM'));
        if (this.random.chance(0.15)) options.push(...this.trimming(key));
        if (this.random.chance(0.02)) options.push(...this.trimming(key));
        return [this.word('XADD'), key, ...options, this.idToAdd(key), ...this.fields()];
    }

    xlen() {
        return [this.word('XLEN'), this.key()];
    }

    xrange() {
        const key = this.key();
        const count = this.random.chance(0.5) ? [this.word('COUNT'), this.count()] : [];
        const whole = this.random.chance(0.3);
        const backward = this.random.chance(0.5);
        const bounds = whole ? ['-', '+'] : [this.bound(key), this.bound(key)];
        if (whole && backward) bounds.reverse();
        return [this.word(backward ? 'XREVRANGE' : 'XRANGE'), key, ...bounds, ...count];
    }

    streams() {
        const keys = Array.from({ length: this.random.between(1, 3) }, () => this.key());
        const ids = keys.map((key) => this.random.weighted(
            [[6, () => this.id(key)], [2, () => '0'], [1, () => '$']])());
        if (this.random.chance(0.03)) ids.pop();
        return [this.word('STREAMS'), ...keys, ...ids];
    }

    xread() {
        const count = this.random.chance(0.6) ? [this.word('COUNT'), this.count()] : [];
        return [this.word('XREAD'), ...count, ...this.streams()];
    }

    // Never BLOCK 0: nobody would wake it.
    xreadBlocking() {
        const wait = this.random.chance(0.95)
            ? String(this.random.between(1, 10)) : this.random.pick(['-1', 'x', '1.5', '']);
        const count = this.random.chance(0.5) ? ['COUNT', this.count()] : [];
        const options = this.random.chance(0.5)
            ? ['BLOCK', wait, ...count] : [...count, 'BLOCK', wait];
        return ['XREAD', ...options, ...this.streams()];
    }

    xdel() {
        const key = this.key();
        const ids = Array.from({ length: this.random.between(1, 4) }, () => this.id(key));
        return [this.word('XDEL'), key, ...ids];
    }

    xtrim() {
        const key = this.key();
        return [this.word('XTRIM'), key, ...this.trimming(key)];
    }

    xsetid() {
        const key = this.key();
        const args = ['XSETID', key, this.random.chance(0.6) ? this.idAfter(key) : this.id(key)];
        if (this.random.chance(0.4)) args.push(this.word('ENTRIESADDED'), this.count());
        if (this.random.chance(0.4)) args.push(this.word('MAXDELETEDID'), this.id(key));
        return args;
    }

    xinfo() {
        const args = [this.word('XINFO'), this.word('STREAM'), this.key()];
        if (this.random.chance(0.5)) {
            args.push(this.word('FULL'));
            if (this.random.chance(0.6)) args.push(this.word('COUNT'), this.count());
        }
        return args;
    }

    removal() {
        const keys = Array.from({ length: this.random.between(1, 2) }, () => this.key());
        return [this.word(this.random.pick(['DEL', 'UNLINK'])), ...keys];
    }

    lookup() {
        const name = this.random.pick(['EXISTS', 'EXISTS', 'TYPE']);
        if (name === 'TYPE') return [name, this.key()];
        const keys = Array.from({ length: this.random.between(1, 4) }, () => this.key());
        return [name, ...keys];
    }

    rename() {
        const name = this.random.pick(['RENAME', 'RENAMENX']);
        return [this.word(name), this.key(), this.key()];
    }

    database() {
        return this.random.chance(0.92) ? String(this.random.below(DATABASES))
            : this.random.pick(['-1', '16', '99999999999', 'x', '', '1.0', '9223372036854775808']);
    }

    copy() {
        const args = [this.word('COPY'), this.key(), this.key()];
        if (this.random.chance(0.4)) args.push(this.word('DB'), this.database());
        if (this.random.chance(0.5)) args.push(this.word('REPLACE'));
        if (this.random.chance(0.03)) args.push('BOGUS');
        return args;
    }

    pattern() {
        return this.random.pick(['*', 'a', '?', '[ab]', '[^a]', '[b-c]', 'feed:*', '*:*', '\\a',
            'no such', '', '*x*', '[', '\x00*', 'feed:{1}*']);
    }

    listing() {
        return this.random.weighted([
            [3, () => ['KEYS', this.pattern()]],
            [3, () => ['DBSIZE']],
            [3, () => this.scan()],
            [3, () => ['RANDOMKEY']],
            [1, () => ['SCAN', this.random.pick(['x', '', '-1', '1.5', '0 '])]],
            [1, () => ['SCAN', '0', 'COUNT', this.random.pick(['0', '-1', 'x'])]],
            [1, () => ['SCAN', '0', this.random.pick(['MATCH', 'COUNT', 'TYPE', 'BOGUS'])]],
        ])();
    }

    scan() {
        const args = ['SCAN', '0'];
        if (this.random.chance(0.4)) args.push('MATCH', this.pattern());
        if (this.random.chance(0.4)) args.push('COUNT', String(this.random.between(1, 20)));
        if (this.random.chance(0.4)) args.push('TYPE', this.random.pick(TYPES));
        return args;
    }

    object() {
        return this.random.weighted([
            [4, () => ['OBJECT', 'ENCODING', this.key()]],
            [2, () => ['OBJECT', 'REFCOUNT', this.key()]],
            [2, () => ['OBJECT', 'IDLETIME', this.key()]],
            [1, () => ['OBJECT', 'FREQ', this.key()]],
            [3, () => ['MEMORY', 'USAGE', this.key()]],
            [1, () => ['MEMORY', 'USAGE', this.key(), 'SAMPLES', this.count()]],
        ])();
    }

    flush() {
        const mode = this.random.weighted([[6, []], [2, ['ASYNC']], [2, ['SYNC']], [1, ['BOGUS']]]);
        return [this.random.weighted([[5, 'FLUSHDB'], [1, 'FLUSHALL']]), ...mode];
    }

    select() {
        return ['SELECT', this.database()];
    }

    swap() {
        return ['SWAPDB', this.database(), this.database()];
    }

    talk() {
        return this.random.weighted([
            [3, () => ['PING']],
            [2, () => ['PING', this.value()]],
            [2, () => ['ECHO', this.value()]],
        ])();
    }

    nonsense() {
        return this.random.weighted([
            [3, () => ['NOSUCH', this.value(), this.value()]],
            [1, () => ['']],
            [1, () => ['x'.repeat(200), 'y'.repeat(200), 'z'.repeat(200)]],
            [2, () => [this.random.bytes(6), this.random.bytes(6)]],
            [2, () => [this.random.pick(['XINFO', 'OBJECT', 'MEMORY']), this.random.bytes(5), 'a']],
            [2, () => [this.random.pick(['XINFO', 'OBJECT', 'MEMORY', 'XADD', 'XREAD', 'DEL',
                'KEYS', 'COPY', 'SWAPDB', 'XSETID', 'XTRIM'])]],
            [1, () => ['XINFO', 'stream', this.key(), 'BOGUS']],
            [1, () => ['XREAD', 'COUNT', '1', this.key(), '0']],
        ])();
    }

    // Drops, repeats or adds an argument.
    mutate(args) {
        const copy = [...args];
        const at = this.random.below(copy.length);
        const how = this.random.below(3);
        if (how === 0 && at > 0) copy.splice(at, 1);
        else if (how === 1) copy.splice(at, 0, copy[at]);
        else copy.push(this.random.pick(['', 'x', '1', 'COUNT', 'REPLACE']));
        return copy;
    }
}
