// One connection to a server, without a client library between.

import net from 'node:net';
import { once } from 'node:events';
import { ReplyError, ReplyParser, encodeCommand } from './resp.mjs';

const REPLY_MS_MAX = 30_000;

export class ClosedError extends Error {}

export class Connection {
    // options: protocol (2 or 3; 3 says HELLO)
    static async open(port, options = {}) {
        const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
        await once(socket, 'connect');
        const connection = new Connection(socket);
        if (options.protocol === 3) await connection.ok('HELLO', '3');
        return connection;
    }

    constructor(socket) {
        this.socket = socket;
        this.waiting = [];      // { resolve, reject } of replies to come
        this.unclaimed = [];    // replies nobody asked for yet
        this.pushes = [];
        this.received = [];     // raw bytes, kept only when keepRaw is set
        this.keepRaw = false;
        this.isClosed = false;
        this.parser = new ReplyParser((reply) => this.onReply(reply));
        socket.on('data', (piece) => this.onData(piece));
        socket.on('error', () => {});
        this.closed = new Promise((resolve) => socket.on('close', () => {
            this.isClosed = true;
            for (const waiter of this.waiting) waiter.reject(new ClosedError('closed'));
            this.waiting = [];
            resolve();
        }));
    }

    onData(piece) {
        if (this.keepRaw) this.received.push(piece);
        else this.parser.feed(piece);
    }

    onReply(reply) {
        if (reply.push) this.pushes.push(reply.value);
        else if (this.waiting.length) this.waiting.shift().resolve(reply);
        else this.unclaimed.push(reply);
    }

    // Raw bytes out.
    write(bytes) {
        this.socket.write(bytes);
    }

    send(...args) {
        this.write(encodeCommand(args));
    }

    // The next reply: { value, raw }. Rejects with ClosedError.
    next() {
        if (this.unclaimed.length) return Promise.resolve(this.unclaimed.shift());
        if (this.isClosed) return Promise.reject(new ClosedError('closed'));
        return new Promise((resolve, reject) => {
            const timer = setTimeout(
                () => reject(new Error(`no reply within ${REPLY_MS_MAX} ms`)), REPLY_MS_MAX);
            this.waiting.push({
                resolve: (reply) => { clearTimeout(timer); resolve(reply); },
                reject: (error) => { clearTimeout(timer); reject(error); },
            });
        });
    }

    exchange(args) {
        this.send(...args);
        return this.next();
    }

    // The parsed reply; an error reply is a ReplyError value.
    async call(...args) {
        return (await this.exchange(args)).value;
    }

    // The parsed reply; an error reply is thrown.
    async ok(...args) {
        const value = await this.call(...args);
        if (value instanceof ReplyError) {
            throw new Error(`${args.join(' ').slice(0, 200)}: ${value.message}`);
        }
        return value;
    }

    // Sends all at once, then takes all replies' values; tells each to `onValue` as it comes.
    async pipeline(commands, onValue = () => {}) {
        const replies = commands.map(() => this.next().then(({ value }) => {
            onValue(value);
            return value;
        }));
        this.write(Buffer.concat(commands.map(encodeCommand)));
        return Promise.all(replies);
    }

    // Everything received until the server closed or was quiet for `ms`, unparsed. Only for a
    // connection opened for that: call collect() before the first write.
    collect() {
        this.keepRaw = true;
    }

    async quiet(ms) {
        let seen = -1;
        while (!this.isClosed && seen !== this.received.length) {
            seen = this.received.length;
            await Promise.race([this.closed, delay(ms)]);
        }
        return { raw: Buffer.concat(this.received), closed: this.isClosed };
    }

    destroy() {
        this.socket.destroy();
    }
}

export function delay(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}
