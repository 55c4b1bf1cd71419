// The two client libraries behind one face, for tests that are to run over each of them.

import Redis from 'ioredis';
import { ErrorReply, createClient } from 'redis';

const RECONNECT_MS = 20;
// A machine may be busy: the library gives up after five seconds unless it is told otherwise.
const COMMAND_MS_MAX = 60_000;

// An error that the server meant. Anything else is the connection's, or a server's that starts.
export function isReplyError(error) {
    return (error instanceof ErrorReply || error instanceof Redis.ReplyError) &&
        !error.message.startsWith('LOADING');
}

// node-redis, connected. options: as createClient has them; RESP is 3 unless they say otherwise.
export async function nodeRedis(port, options = {}) {
    const client = createClient({
        url: `redis://127.0.0.1:${port}`, RESP: 3, commandOptions: { timeout: COMMAND_MS_MAX },
        ...options,
    });
    client.on('error', () => {});
    await client.connect();
    return client;
}

// A feed's entries are { key, id, fields }; fields is null where the entry is gone.
export class NodeRedis {
    // options: as createClient has them
    static async open(port, RESP, options = {}) {
        const socket = { reconnectStrategy: RECONNECT_MS };
        return new NodeRedis(await nodeRedis(port, { RESP, socket, ...options }));
    }

    constructor(client) {
        this.client = client;
    }

    add(key, fields) {
        return this.client.xAdd(key, '*', fields);
    }

    async readGroup(group, consumer, keys, id, { count, block }) {
        const streams = keys.map((key) => ({ key, id }));
        const read = await this.client.xReadGroup(group, consumer, streams,
            { COUNT: count, BLOCK: block });
        return (read ?? []).flatMap(({ name, messages }) => entriesOf(name, messages));
    }

    ack(key, group, ids) {
        return this.client.xAck(key, group, ids);
    }

    async autoClaim(key, group, consumer, minIdle, start, count) {
        const { nextId, messages } = await this.client.xAutoClaim(key, group, consumer, minIdle,
            start, { COUNT: count });
        return { next: nextId, entries: entriesOf(key, messages) };
    }

    async idleIds(key, group, minIdle, count) {
        const pending = await this.client.xPendingRange(key, group, '-', '+', count,
            { IDLE: minIdle });
        return pending.map(({ id }) => id);
    }

    async claim(key, group, consumer, minIdle, ids) {
        return entriesOf(key, await this.client.xClaim(key, group, consumer, minIdle, ids));
    }

    get(key) {
        return this.client.get(key);
    }

    // For `ms`; true when it was set. onlyNew: not where there is a value.
    async set(key, value, ms, onlyNew = false) {
        const options = { PX: ms, ...(onlyNew ? { condition: 'NX' } : {}) };
        return (await this.client.set(key, value, options)) === 'OK';
    }

    getMany(keys) {
        return this.client.mGet(keys);
    }

    // How often it was called in the window of `ms` that the first call begins.
    async countInWindow(key, ms) {
        const [count] = await this.client.multi().incr(key).pExpire(key, ms, 'NX').exec();
        return count;
    }

    setFields(key, fields) {
        return this.client.hSet(key, fields);
    }

    async fields(key) {
        return { ...await this.client.hGetAll(key) };
    }

    // All keys that `pattern` finds.
    async scan(pattern) {
        const found = new Set();
        for await (const keys of this.client.scanIterator({ MATCH: pattern, COUNT: 100 })) {
            for (const key of keys) found.add(key);
        }
        return [...found];
    }

    unlink(keys) {
        return this.client.unlink(keys);
    }

    // A command in the protocol's words.
    command(...args) {
        return this.client.sendCommand(args);
    }

    // As when its process is killed.
    crash() {
        if (this.client.isOpen) this.client.destroy();
    }
}

function entriesOf(key, messages) {
    return messages.filter((entry) => entry !== null)
        .map(({ id, message }) => ({ key, id, fields: message && { ...message } }));
}

export class IoRedis {
    static open(port, protocol) {
        const client = new Redis(port, '127.0.0.1', {
            protocol, retryStrategy: () => RECONNECT_MS, maxRetriesPerRequest: null,
        });
        client.on('error', () => {});
        return new IoRedis(client);
    }

    constructor(client) {
        this.client = client;
    }

    add(key, fields) {
        return this.client.xadd(key, '*', ...Object.entries(fields).flat());
    }

    async readGroup(group, consumer, keys, id, { count, block }) {
        const read = await this.client.xreadgroup('GROUP', group, consumer, 'COUNT', count,
            'BLOCK', block, 'STREAMS', ...keys, ...keys.map(() => id));
        return (read ?? []).flatMap(([key, entries]) => rowsOf(key, entries));
    }

    ack(key, group, ids) {
        return this.client.xack(key, group, ...ids);
    }

    async autoClaim(key, group, consumer, minIdle, start, count) {
        const [next, entries] = await this.client.xautoclaim(key, group, consumer, minIdle, start,
            'COUNT', count);
        return { next, entries: rowsOf(key, entries) };
    }

    async idleIds(key, group, minIdle, count) {
        const pending = await this.client.xpending(key, group, 'IDLE', minIdle, '-', '+', count);
        return pending.map(([id]) => id);
    }

    async claim(key, group, consumer, minIdle, ids) {
        return rowsOf(key, await this.client.xclaim(key, group, consumer, minIdle, ...ids));
    }

    get(key) {
        return this.client.get(key);
    }

    async set(key, value, ms, onlyNew = false) {
        const reply = onlyNew ? await this.client.set(key, value, 'PX', ms, 'NX')
            : await this.client.set(key, value, 'PX', ms);
        return reply === 'OK';
    }

    getMany(keys) {
        return this.client.mget(keys);
    }

    async countInWindow(key, ms) {
        const [[, count]] = await this.client.multi().incr(key).pexpire(key, ms, 'NX').exec();
        return count;
    }

    setFields(key, fields) {
        return this.client.hset(key, fields);
    }

    async fields(key) {
        return { ...await this.client.hgetall(key) };
    }

    async scan(pattern) {
        const found = new Set();
        for await (const keys of this.client.scanStream({ match: pattern, count: 100 })) {
            for (const key of keys) found.add(key);
        }
        return [...found];
    }

    unlink(keys) {
        return this.client.unlink(...keys);
    }

    command(...args) {
        return this.client.call(...args);
    }

    crash() {
        this.client.disconnect();
    }
}

function rowsOf(key, entries) {
    return entries.filter((entry) => entry !== null)
        .map(([id, row]) => ({ key, id, fields: row && pairsOf(row) }));
}

function pairsOf(row) {
    const fields = {};
    for (let i = 0; i < row.length; i += 2) fields[row[i]] = row[i + 1];
    return fields;
}

// Name → a function that opens a client to a port.
export const LIBRARIES = {
    'node-redis, RESP2': (port) => NodeRedis.open(port, 2),
    'node-redis, RESP3': (port) => NodeRedis.open(port, 3),
    'ioredis, RESP2': (port) => IoRedis.open(port, 2),
    'ioredis, RESP3': (port) => IoRedis.open(port, 3),
};
