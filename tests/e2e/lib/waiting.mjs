// Waiting for what comes to be by itself: a look now and then, up to a limit.

import assert from 'node:assert/strict';
import { delay } from './connection.mjs';

const PATIENCE_MS = 20_000;
const BLOCKED_MS_MAX = 10_000;

// Until `condition`, a function that may be async, holds. `what` is what it says.
export async function until(condition, what = String(condition), ms = PATIENCE_MS) {
    const end = Date.now() + ms;
    while (!(await condition())) {
        assert.ok(Date.now() < end, `never: ${what}`);
        await delay(5);
    }
}

// How many clients of the connection's server wait in a blocking command.
export async function blockedClients(connection) {
    return Number(/blocked_clients:(\d+)/.exec(await connection.ok('INFO', 'clients'))[1]);
}

export async function untilBlocked(connection, count) {
    await until(async () => await blockedClients(connection) === count,
        `${count} blocked clients`, BLOCKED_MS_MAX);
}
