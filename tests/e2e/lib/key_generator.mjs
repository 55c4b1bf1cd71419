// Random commands on strings, hashes and times of expiry, valid and not, on few keys of both stores:
// those that begin with `cache:` are in memory, the others durable.

import { DATABASES } from './generator.mjs';

const NAMES = ['a', 'b', 'c', '{1}d', 'e:\x00\xff'];
const KEYS = [...NAMES, ...NAMES.map((name) => `cache:${name}`)];

const INTEGERS = ['0', '1', '-1', '5', '100', '-7', '9223372036854775807', '-9223372036854775808'];
// As times: none that passes while the test runs.
const TIMES = ['0', '-1', '-7', '9223372036854775807', '-9223372036854775808', 'x', '1.5', ''];
const INTEGERS_INVALID = ['', 'x', '1.5', ' 1', '01', '+1', '9223372036854775808', '1 '];
const FLOATS = ['0', '1.5', '-2.25', '3', '1e3', '0.1', '1e-5', 'inf', 'nan', '', 'x', ' 1', '5e2x'];
const FAR_MS = '4102444800000';
const FAR_S = '4102444800';

// With too few words, or too many, for each of these.
const NAMES_OF_COMMANDS = ['APPEND', 'BITCOUNT', 'BITPOS', 'COPY', 'DECR', 'DECRBY', 'DEL',
    'EXISTS', 'EXPIRE', 'EXPIREAT', 'EXPIRETIME', 'GET', 'GETBIT', 'GETDEL', 'GETEX', 'GETRANGE',
    'GETSET', 'HDEL', 'HEXISTS', 'HGET', 'HGETALL', 'HINCRBY', 'HINCRBYFLOAT', 'HKEYS', 'HLEN',
    'HMGET', 'HMSET', 'HRANDFIELD', 'HSCAN', 'HSET', 'HSETNX', 'HSTRLEN', 'HVALS', 'INCR', 'INCRBY',
    'INCRBYFLOAT', 'KEYS', 'LCS', 'MGET', 'MSET', 'MSETNX', 'PERSIST', 'PEXPIRE', 'PEXPIREAT',
    'PEXPIRETIME', 'PSETEX', 'PTTL', 'RENAME', 'RENAMENX', 'RESTORE', 'SCAN', 'SELECT', 'SET',
    'SETBIT', 'SETEX', 'SETNX', 'SETRANGE', 'STRLEN', 'SUBSTR', 'SWAPDB', 'TOUCH', 'TTL', 'TYPE',
    'UNLINK', 'WATCH', 'OBJECT', 'MEMORY'];

// Commands whose replies are chance, have no order, or depend on the clock; and what is too long.
const UNEVEN = new Set(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME', 'SCAN', 'KEYS', 'RANDOMKEY',
    'HRANDFIELD', 'HSCAN', 'HGETALL', 'HKEYS', 'HVALS', 'OBJECT', 'MEMORY', 'XADD', 'RESTORE', 'DUMP']);

const FIELDS = ['f', 'g', 'h', '', 'n', 'm', 'field:\x00', 'x'.repeat(70)];

export class KeyGenerator {
    constructor(random, options = {}) {
        this.random = random;
        this.keys = options.keys ?? KEYS;
        this.valueBytesMax = options.valueBytesMax ?? 300;
        this.rows = [
            [60, () => this.set()], [40, () => ['GET', this.key()]], [30, () => this.numbers()],
            [30, () => this.parts()], [25, () => this.bits()], [20, () => this.several()],
            [30, () => this.expiry()], [30, () => this.times()], [15, () => this.taking()],
            [90, () => this.hash()], [15, () => this.names()], [20, () => this.lookup()],
            [4, () => this.lcs()], [3, () => this.feed()], [3, () => this.database()],
            [8, () => this.listing()], [8, () => this.badLine()],
        ];
    }

    next() {
        const args = this.random.weighted(this.rows)();
        return this.random.chance(0.03) && !/EX|PX/i.test(args.join(' '))
            ? this.mutate(args) : args;
    }

    // One whose reply must be that of redis-server to the byte.
    nextEven() {
        for (;;) {
            const args = this.next();
            const long = args[0] === 'SETRANGE' && args[2]?.length > 6;
            if (!UNEVEN.has(args[0]) && !long) return args;
        }
    }

    mutate(args) {
        const i = this.random.below(args.length);
        return this.random.pick([
            () => [...args, this.random.pick(['x', 'NX', '1', ''])],
            () => (args.length > 1 ? args.slice(0, -1) : args),
            () => args.map((arg, at) => (at === i && at > 0 ? this.integer() : arg)),
        ])();
    }

    key() {
        return this.random.chance(0.04) ? 'feed' : this.random.pick(this.keys);
    }

    integer() {
        return this.random.chance(0.85)
            ? this.random.pick(INTEGERS) : this.random.pick(INTEGERS_INVALID);
    }

    offset() {
        return this.random.chance(0.9) ? String(this.random.between(-20, 40)) : this.integer();
    }

    value() {
        return this.random.weighted([
            [3, () => ''], [20, () => `v${this.random.below(10)}`], [20, () => this.integer()],
            [10, () => this.random.pick(FLOATS)], [10, () => this.random.bytes(this.random.below(60))],
            [6, () => 'z'.repeat(this.random.below(this.valueBytesMax))],
        ])();
    }

    // Far away: nothing of it passes while the test runs. Or long ago.
    time() {
        return this.random.weighted([
            [6, () => ['PXAT', FAR_MS]], [6, () => ['EXAT', FAR_S]], [6, () => ['EX', '10000']],
            [6, () => ['PX', '10000000']],
            [2, () => [this.random.pick(['EX', 'PX', 'EXAT', 'PXAT']), this.random.pick(TIMES)]],
        ])();
    }

    set() {
        const key = this.key();
        const options = [];
        if (this.random.chance(0.2)) options.push(this.random.pick(['NX', 'XX', 'nx', 'xx']));
        if (this.random.chance(0.2)) options.push('GET');
        if (this.random.chance(0.25)) options.push(...this.time());
        if (this.random.chance(0.1)) options.push('KEEPTTL');
        return this.random.weighted([
            [10, () => ['SET', key, this.value(), ...options]],
            [1, () => ['SETNX', key, this.value()]],
            [1, () => ['SETEX', key, this.random.pick(['1000', '1000', '0', '-1', 'x',
                '9223372036854775807']), this.value()]],
            [1, () => ['PSETEX', key, this.random.pick(['1000000', '1000000', '0', '-1', 'x',
                '9223372036854775807']), this.value()]],
        ])();
    }

    numbers() {
        const key = this.key();
        return this.random.pick([
            () => ['INCR', key], () => ['DECR', key], () => ['INCRBY', key, this.integer()],
            () => ['DECRBY', key, this.integer()],
            () => ['INCRBYFLOAT', key, this.random.pick(FLOATS)],
        ])();
    }

    parts() {
        const key = this.key();
        return this.random.pick([
            () => ['APPEND', key, this.value()], () => ['STRLEN', key],
            () => ['SETRANGE', key, this.offset(), this.value()],
            () => [this.random.pick(['GETRANGE', 'SUBSTR']), key, this.offset(), this.offset()],
        ])();
    }

    bits() {
        const key = this.key();
        const span = [];
        if (this.random.chance(0.6)) {
            span.push(this.offset(), this.offset());
            if (this.random.chance(0.5)) span.push(this.random.pick(['BIT', 'BYTE', 'bit', 'x']));
        }
        return this.random.pick([
            () => ['SETBIT', key, this.random.chance(0.9) ? String(this.random.below(300))
                : this.random.pick(['-1', '4294967296', 'x', '']),
                this.random.pick(['0', '1', '1', '2', 'x'])],
            () => ['GETBIT', key, this.offset()], () => ['BITCOUNT', key, ...span],
            () => ['BITPOS', key, this.random.pick(['0', '1', '1', '2']), ...span],
        ])();
    }

    several() {
        const count = this.random.between(1, 4);
        const keys = Array.from({ length: count }, () => this.key());
        return this.random.pick([
            () => ['MGET', ...keys], () => ['EXISTS', ...keys], () => ['TOUCH', ...keys],
            () => ['MSET', ...keys.flatMap((key) => [key, this.value()])],
            () => ['MSETNX', ...keys.flatMap((key) => [key, this.value()])],
            () => [this.random.pick(['DEL', 'UNLINK']), ...keys.slice(0, 2)],
            () => [this.random.pick(['MSET', 'MSETNX']), ...keys],
        ])();
    }

    // Conditions only where the clock does not decide.
    expiry() {
        const key = this.key();
        const options = this.random.chance(0.5)
            ? [this.random.pick(['NX', 'XX', 'GT', 'LT', 'gt', 'x'])] : [];
        if (this.random.chance(0.1)) options.push(this.random.pick(['NX', 'XX', 'GT', 'LT']));
        return this.random.weighted([
            [3, () => ['EXPIRE', key, '10000']],
            [3, () => ['PEXPIRE', key, '20000000']],
            [6, () => ['EXPIREAT', key, this.random.pick([FAR_S, '4102444801']), ...options]],
            [6, () => ['PEXPIREAT', key, FAR_MS, ...options]],
            [3, () => [this.random.pick(['EXPIRE', 'PEXPIRE', 'EXPIREAT', 'PEXPIREAT']), key,
                this.random.pick(TIMES), ...options]],
            [4, () => ['PERSIST', key]],
        ])();
    }

    times() {
        return [this.random.pick(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME']), this.key()];
    }

    taking() {
        const key = this.key();
        return this.random.pick([
            () => ['GETDEL', key], () => ['GETSET', key, this.value()],
            () => ['GETEX', key, ...this.random.pick([[], ['PERSIST'], ['persist', 'PERSIST'],
                this.time(), this.time(), [...this.time(), 'PERSIST'], ['KEEPTTL'], ['EX']])],
        ])();
    }

    fields(count) {
        return Array.from({ length: count }, () => this.random.pick(FIELDS));
    }

    hash() {
        const key = this.random.chance(0.7) ? `${this.key()}h` : this.key();
        const field = this.random.pick(FIELDS);
        const several = this.fields(this.random.between(1, 4));
        return this.random.weighted([
            [8, () => [this.random.pick(['HSET', 'HMSET']), key,
                ...several.flatMap((name) => [name, this.value()])]],
            [2, () => ['HSETNX', key, field, this.value()]], [3, () => ['HGET', key, field]],
            [2, () => ['HMGET', key, ...several]], [3, () => ['HGETALL', key]],
            [1, () => ['HKEYS', key]], [1, () => ['HVALS', key]], [1, () => ['HLEN', key]],
            [1, () => ['HEXISTS', key, field]], [3, () => ['HDEL', key, ...several]],
            [2, () => ['HINCRBY', key, this.random.pick(['n', 'm', field]), this.integer()]],
            [2, () => ['HINCRBYFLOAT', key, this.random.pick(['n', 'm', field]),
                this.random.pick(FLOATS)]],
            [1, () => ['HSTRLEN', key, field]],
            [1, () => ['HRANDFIELD', key]],
            [2, () => ['HRANDFIELD', key, this.random.pick(['100', '2', '0', '-3', '-0', 'x',
                '-9223372036854775808', '9223372036854775807']),
                ...this.random.pick([[], ['WITHVALUES'], ['x']])]],
            [1, () => ['HSCAN', key, '0', ...this.random.pick([[], ['MATCH', 'f*'],
                ['COUNT', '5'], ['COUNT', '0'], ['COUNT', 'x'], ['x'], ['MATCH'],
                ['MATCH', '*', 'COUNT', '1']])]],
        ])();
    }

    // Not of the feed, which must not come into a memory range.
    names() {
        const from = this.random.pick(this.keys);
        const to = this.random.pick(this.keys);
        return this.random.pick([
            () => ['RENAME', from, to], () => ['RENAMENX', from, to],
            () => ['COPY', from, to, ...this.random.pick([[], ['REPLACE'],
                ['DB', String(this.random.below(DATABASES)), 'REPLACE'], ['DB', '99'], ['DB', '-1'],
                ['DB', 'x'], ['DB'], ['x']])],
            () => ['COPY', `${from}h`, `${to}h`, 'REPLACE'],
        ])();
    }

    lookup() {
        const key = this.key();
        return this.random.pick([
            () => ['TYPE', key], () => ['OBJECT', 'ENCODING', key], () => ['MEMORY', 'USAGE', key],
            () => ['TYPE', `${key}h`], () => ['OBJECT', 'REFCOUNT', `${key}h`],
        ])();
    }

    lcs() {
        return ['LCS', this.key(), this.key(), ...this.random.pick([[], ['LEN'], ['IDX'],
            ['IDX', 'WITHMATCHLEN'], ['IDX', 'MINMATCHLEN', '2'], ['IDX', 'LEN'], ['x'],
            ['IDX', 'MINMATCHLEN', '-1'], ['IDX', 'MINMATCHLEN', 'x'], ['MINMATCHLEN']])];
    }

    feed() {
        return ['XADD', 'feed', '*', 'f', 'v'];
    }

    database() {
        return this.random.weighted([
            [12, () => ['SELECT', String(this.random.below(DATABASES))]],
            [2, () => ['SELECT', this.random.pick(['-1', '16', 'x', '', '1.5'])]],
            [1, () => ['FLUSHDB', ...this.random.pick([[], ['ASYNC'], ['sync'], ['x']])]],
            [2, () => ['SWAPDB', this.random.pick(['0', '1', '1', '99', 'x']),
                this.random.pick(['0', '1', '1', '-1', 'x'])]],
        ])();
    }

    listing() {
        return this.random.pick([
            () => ['DBSIZE'], () => ['KEYS', this.random.pick(['*', 'a*', 'cache:*', '?', '[ab]h',
                '[^c]*', '*{1}*', '', '\\a', 'a'])],
            () => ['RANDOMKEY'],
            () => ['SCAN', '0', ...this.random.pick([['TYPE', 'string'], ['TYPE', 'hash'],
                ['TYPE', 'stream'], ['TYPE', 'x'], ['TYPE'], ['MATCH', 'cache:*', 'COUNT', '3'],
                ['MATCH', '[', 'TYPE', 'hash'], ['COUNT', '0'], ['COUNT', 'x'], ['x', 'y'], []])],
        ])();
    }

    // For Twin.dumpAndRestore. Not of times that pass while the test runs.
    restoring() {
        const absolute = this.random.chance(0.3);
        const suffix = this.random.pick(['', 'h']);
        return {
            from: `${this.random.pick(this.keys)}${suffix}`,
            to: `${this.random.pick(this.keys)}${suffix}`,
            ttl: this.random.pick(absolute ? ['0', FAR_MS, '1'] : ['0', '10000000', '-1', 'x']),
            options: [...(absolute ? ['ABSTTL'] : []), ...(this.random.chance(0.7) ? ['REPLACE'] : []),
                ...this.random.pick([[], [], ['IDLETIME', '5'], ['FREQ', '7'], ['x'],
                    ['IDLETIME', '-1'], ['FREQ', '256'], ['IDLETIME']])],
        };
    }

    badLine() {
        return [this.random.pick(NAMES_OF_COMMANDS),
            ...Array.from({ length: this.random.below(3) }, () => `${this.key()}:none`),
            ...(this.random.chance(0.1) ? ['1', '2', '3', '4', '5', '6', '7'] : [])];
    }
}
