// What a user can do something about: one clear line, exit status 1.

export class Failure extends Error {}

export function fail(text) {
    throw new Failure(text);
}
