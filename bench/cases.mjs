// The cases, a row each. bench/README.md says what they mean for a user.
//
// A row:
//   group, name   where its results go
//   about         what is done, for the table
//   servers       who does it, in the order of the turns
//   work, options weir-bench's workload (nats: with nats- before it) and options
//   peerWork      the peers' workload where it is another
//   unit          what the rate counts
//   compare       what the ratio is of: 'rate', 'cpu' of an operation, 'p50' or 'p99' of the
//                 latencies, 'hits', 'each' (see bytesEach), or 'start'
//   bytesEach     the server's memory for each operation is told: peak RSS and used_memory
//   witness       redis-benchmark does the same, beside
//   prepare       loads that run before, once for each server, which then stays for all rounds
//   saved         what was prepared is folded (Weir) before
//   cold          the kernel forgets the server's files before each round
//   beside        loads that run at the same time
//   needs         commands without which a server is left out
//   weirArgs      further arguments of Weir
//   peerArgs      further arguments of the others
//   plain         durability plays no part: it is not named
//   notes         server -> what its row has to say
//   kind          'load', or 'startup' (options: entries, keys)
//   gib           room that it wants on disk
//   long          only when it is named
//   goals         peer -> ratio that we want

const P16 = { connections: 50, pipeline: 16 };
const GROUP_COMMANDS = ['XGROUP', 'XREADGROUP', 'XACK'];
const EVERYBODY = ['weir', 'weir-everysec', 'redis-always', 'redis-everysec', 'redis-none', 'nats'];

const FEEDS = { 1: 'one feed', 1000: '1,000 feeds', 100000: '100,000 feeds' };
const FEED_NAMES = { 1: 'one-feed', 1000: '1000-feeds', 100000: '100000-feeds' };

function append(pipeline, keys, more = {}) {
    return {
        group: 'append',
        name: `append-p${pipeline}-${FEED_NAMES[keys]}`,
        about: `50 clients append to ${FEEDS[keys]}, ${pipeline} at a time`,
        servers: ['weir', 'redis-always', 'nats'],
        work: 'append',
        options: { connections: 50, pipeline, keys },
        unit: 'entries/s',
        witness: true,
        ...more,
    };
}

function payload(bytes, name) {
    return append(16, 1, {
        name: `append-${name}`,
        about: `50 clients append ${name.replace('kb', ' KB')} to one feed, 16 at a time`,
        options: { ...P16, payload: bytes },
        gib: 8,
    });
}

function range(name, about, more) {
    return {
        group: 'range',
        name: `range-${name}`,
        about: `4 clients read 100 entries from a random id, 16 times at once, ${about}`,
        servers: ['weir', 'redis-none'],
        work: 'range',
        unit: 'reads/s',
        compare: 'cpu', // the client, which checks every entry, is slower than Weir
        plain: true,
        notes: { 'redis-none': 'all in memory' },
        ...more,
    };
}

function tail(readers) {
    return {
        group: 'tail',
        name: `tail-${readers}`,
        about: `1,000 appends/s reach ${readers} blocked reader${readers > 1 ? 's' : ''}`,
        servers: ['weir', 'redis-always', 'nats'],
        work: 'tail',
        options: { connections: 1, readers, rate: 1000 },
        unit: 'deliveries/s',
        compare: 'p99',
        needs: ['XREAD'],
    };
}

function group(readers) {
    return {
        group: 'group',
        name: `group-${readers}`,
        about: `50 clients append, 16 at a time; a group of ${readers} reads and acknowledges`,
        servers: ['weir', 'redis-always', 'redis-none', 'nats'],
        work: 'group',
        options: { ...P16, readers, window: 10000 },
        unit: 'entries/s',
        needs: GROUP_COMMANDS,
        notes: { nats: 'acknowledgements are not confirmed' },
        goals: readers === 10 ? { 'redis-none': 1.3 } : {},
    };
}

function pending(command, entries) {
    return {
        group: 'group',
        name: command,
        about: `${command.toUpperCase()} of 10 entries, ${count(entries)} pending`,
        servers: ['weir', 'redis-always'],
        prepare: [fill(entries)],
        work: command,
        options: { connections: 1, entries },
        unit: 'calls/s',
        needs: [...GROUP_COMMANDS, command.toUpperCase()],
        goals: { 'redis-always': 1 },
    };
}

function keys(command, servers, goals) {
    return {
        group: 'keys',
        name: command,
        about: `50 clients ${command.toUpperCase()} one of 100,000 keys, 16 at a time`,
        servers,
        work: command,
        options: { ...P16, keys: 100000 },
        unit: 'calls/s',
        plain: command === 'get',
        goals,
    };
}

const IN_MEMORY = {
    group: 'keys',
    servers: ['weir', 'redis-none'],
    plain: true,
    weirArgs: ['--range', '*', 'key:', 'memory'],
};

function memoryKeys(command, pipeline, keyCount, goal) {
    return {
        ...IN_MEMORY,
        name: `${command}-memory-p${pipeline}`,
        about: `50 clients ${command.toUpperCase()} one of ${count(keyCount)} keys in memory, ` +
            `${pipeline} at a time`,
        work: command,
        options: { connections: 50, pipeline, keys: keyCount },
        unit: 'calls/s',
        compare: 'cpu',
        goals: { 'redis-none': goal },
    };
}

function smallKeys(keyCount) {
    return {
        ...IN_MEMORY,
        name: 'set-each-memory',
        about: `${count(keyCount)} new keys of 16 bytes with values of 32, in memory`,
        work: 'set-each',
        options: { ...P16, payload: 32, keys: keyCount, operations: keyCount },
        unit: 'calls/s',
        compare: 'each',
        goals: { 'redis-none': 1 },
        bytesEach: true,
    };
}

// What writers of durable keys do to readers of other ones.
function steadyGet(name, about, writers) {
    return {
        group: 'keys',
        name: `get-steady-${name}`,
        about: `1,000 GETs/s of durable keys ${about}`,
        servers: ['weir', 'redis-always'],
        work: 'get',
        options: { connections: 10, rate: 1000, keys: 1000, writers },
        unit: 'calls/s',
        compare: 'p99',
    };
}

function keyCases(size) {
    const million = size(1000000, 100000);
    return [
        keys('set', ['weir', 'redis-always', 'redis-none'], { 'redis-always': 2.5 }),
        keys('get', ['weir', 'redis-none'], {}),
        memoryKeys('set', 16, million, 1.3),
        memoryKeys('get', 16, million, 1.3),
        memoryKeys('set', 1, million, 1),
        memoryKeys('get', 1, million, 1),
        smallKeys(million),
        steadyGet('alone', 'alone', 0),
        steadyGet('writers', 'while 8 clients SET others as fast as they can', 8),
        zipf('allkeys-lru', size(4000000, 1000000)),
        zipf('allkeys-lfu', size(4000000, 1000000)),
    ];
}

// What a cache keeps of keys that are wanted more or less often, in the same room.
function zipf(policy, operations) {
    return {
        group: 'keys',
        name: `zipf-${policy}`,
        about: '50 clients GET one of 1,000,000 keys by Zipf\'s law and SET it if it is missing; ' +
            `32 MB, ${policy}`,
        servers: ['weir', 'redis-none'],
        work: 'zipf',
        options: { ...P16, keys: 1000000, operations },
        unit: 'calls/s',
        compare: 'hits',
        plain: true,
        weirArgs: ['--range', '*', 'cache:', 'memory', 'maxmemory', '32mb', 'policy', policy],
        peerArgs: ['--maxmemory', '32mb', '--maxmemory-policy', policy],
        goals: { 'redis-none': 1 },
    };
}

function rooms(name, about, options, more = {}) {
    return {
        group: 'rooms',
        name: `rooms-${name}`,
        about,
        servers: ['weir', 'redis-none', 'nats'],
        work: 'rooms',
        options: { connections: 1, ...options },
        unit: 'deliveries/s',
        compare: 'cpu',
        needs: ['SUBSCRIBE', 'PUBLISH'],
        plain: true,
        ...more,
    };
}

const HALF_MORE = { goals: { 'redis-none': 1.5 } };
const WEIR_AND_REDIS = { servers: ['weir', 'redis-none'] };

function roomCases(size) {
    const [many, subscriptions] = [size(5000, 500), size(1000000, 100000)];
    return [
        rooms('1', 'one publisher, 16 at a time, 1 subscriber', { readers: 1, pipeline: 16 }),
        rooms('1-patterns', 'the same beside 10,000 patterns of which none matches',
            { readers: 1, pipeline: 16, patterns: 10000 }, WEIR_AND_REDIS),
        rooms('100', 'one publisher, 16 at a time, 100 subscribers of a room',
            { readers: 100, pipeline: 16 }, HALF_MORE),
        rooms('1000', 'the same with 1,000 subscribers', { readers: 1000, pipeline: 16 },
            HALF_MORE),
        rooms('1000-in-100', '1,000 subscribers in 100 rooms, 10 in each',
            { readers: 1000, keys: 100, pipeline: 16 }, HALF_MORE),
        rooms('5000-in-10000', `${count(many)} subscribers in ${count(2 * many)} rooms, 20 in each`,
            { readers: many, keys: 2 * many, each: 40, pipeline: 16 },
            { ...HALF_MORE, ...WEIR_AND_REDIS }),
        rooms('union', 'a message to 100 rooms of 100 members, each of whom is in two: ' +
            'ROOM.PUBLISH; Redis: 100 PUBLISHes, and each gets it twice',
            { readers: 5000, keys: 100, each: 2, stride: 1, window: 16 }, {
                servers: ['weir', 'redis-none'],
                work: 'room-publish',
                peerWork: 'publish-each',
                unit: 'messages/s',
                goals: { 'redis-none': 5 },
            }),
        rooms('100-p1', 'one publisher, one at a time, 100 subscribers', { readers: 100 },
            { goals: { 'redis-none': 1 } }),
        rooms('100-steady', '1,000 messages/s reach 100 subscribers', { readers: 100, rate: 1000 },
            { compare: 'p99' }),
        rooms('subscribe', `${count(subscriptions)} subscriptions of 100 clients, 10 to a room`, {
            connections: 100, pipeline: 100, keys: subscriptions / 10, operations: subscriptions,
        }, {
            servers: ['weir', 'redis-none'],
            work: 'subscribe',
            unit: 'subscriptions/s',
            compare: 'rate',
            goals: { 'redis-none': 1 },
            bytesEach: true,
        }),
    ];
}

function fill(entries, keyCount = 1) {
    return {
        work: 'fill',
        options: { connections: 1, pipeline: 5000, operations: entries, keys: keyCount },
    };
}

// What runs beside the latencies that are measured, and what it needs. The feeds of the loads are
// apart: each counts its own in the end.
function disturbers(entries) {
    return {
        alone: { about: 'alone' },
        replay: {
            about: 'while a client replays a feed larger than all caches',
            prepare: [fill(entries)],
            cold: true,
            beside: [{ work: 'replay', options: { connections: 1, entries, count: 1000 } }],
        },
        fold: {
            about: 'while 50,000 entries/s come, folded (Redis: rewritten) each second',
            beside: [
                {
                    work: 'append',
                    options: { connections: 4, rate: 50000, keys: 10000, base: 1000000 },
                },
                { work: 'rewrite', options: { connections: 1, rate: 1 } },
            ],
        },
        writers: {
            about: 'while 8 clients append as fast as they can',
            beside: [{ work: 'append', options: { connections: 8, keys: 1000, base: 1000000 } }],
        },
    };
}

const SMALL_CACHES = ['--chunk-cache-bytes', '16mb', '--block-cache-bytes', '16mb',
    '--resident-bytes', '16mb', '--fold-bytes', '16mb'];
const MODEST_CACHES = ['--chunk-cache-bytes', '32mb', '--block-cache-bytes', '32mb',
    '--resident-bytes', '32mb'];

function disturbance(work, name, disturber) {
    return {
        group: 'disturbance',
        name: `disturb-${work}-${name}`,
        servers: ['weir', 'redis-always'],
        work,
        options: { connections: 10, rate: 1000, keys: 1000 },
        unit: work === 'get' ? 'calls/s' : 'entries/s',
        compare: 'p99',
        weirArgs: MODEST_CACHES,
        ...disturber,
        about: `1,000 ${work === 'get' ? 'GETs' : 'appends'}/s ${disturber.about}`,
    };
}

function startup(name, entries, keyCount, more = {}) {
    return {
        group: 'startup',
        name: `${name}-${FEED_NAMES[keyCount]}`,
        about: `kill -9 and start again with ${count(entries)} entries in ${FEEDS[keyCount]}`,
        servers: ['weir', 'redis-always'],
        kind: 'startup',
        options: { entries, keys: keyCount },
        unit: 'entries/s',
        compare: 'start',
        ...more,
    };
}

function count(n) {
    return n >= 1000000 ? `${n / 1000000} million` : n.toLocaleString('en-US');
}

export function allCases(quick) {
    const size = (full, small) => (quick ? small : full);
    const disturber = disturbers(size(2500000, 300000));
    return [
        append(1, 1, { goals: { 'redis-always': 1.3 } }),
        append(16, 1, { servers: EVERYBODY, goals: { 'redis-always': 2.5, 'redis-none': 1.2 } }),
        append(64, 1, { goals: { 'redis-always': 2.5 } }),
        append(1, 1000),
        append(16, 1000, { goals: { 'redis-always': 2.5 } }),
        append(64, 1000),
        append(1, 100000),
        append(16, 100000, { goals: { 'redis-always': 2.5 } }),
        append(64, 100000),
        payload(1024, '1kb'),
        payload(16384, '16kb'),
        range('hot', 'all in memory', {
            prepare: [fill(size(400000, 100000))],
            options: { connections: 4, pipeline: 16, entries: size(400000, 100000) },
            goals: { 'redis-none': 3 },
        }),
        range('folded', 'folded, from the cache of chunks', {
            prepare: [fill(size(800000, 100000))],
            saved: true,
            options: { connections: 4, pipeline: 16, entries: size(800000, 100000) },
            goals: { 'redis-none': 3 },
        }),
        range('cold', 'from disk', {
            prepare: [fill(size(5000000, 500000))],
            saved: true,
            cold: true,
            options: { connections: 4, pipeline: 16, entries: size(5000000, 500000) },
            weirArgs: SMALL_CACHES,
        }),
        tail(1), tail(10), tail(100),
        group(1), group(10),
        pending('xpending', size(1000000, 100000)),
        pending('xclaim', size(1000000, 100000)),
        ...keyCases(size),
        ...roomCases(size),
        ...['append', 'get'].flatMap((work) => Object.entries(disturber).map(
            ([name, what]) => disturbance(work, name, what))),
        startup('start', size(1000000, 100000), 1),
        startup('start', size(1000000, 100000), 100000),
        startup('size', 20000000, 1, { servers: ['weir'], long: true, gib: 20 }),
        startup('size', 20000000, 100000, { servers: ['weir'], long: true, gib: 20 }),
    ].map((row) => ({
        kind: 'load', compare: 'rate', needs: [], weirArgs: [], peerArgs: [], notes: {}, gib: 4,
        goals: {}, beside: [], ...row,
    }));
}
