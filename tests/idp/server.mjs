// An OAuth identity provider for the tests: a real one (oidc-provider), because
// tokens made by the code under test would share its mistakes.
//
//   node server.mjs [--issuer URL] [--host ADDRESS] [--port PORT] [--tenancy FILE]
//
// prints {"ready":true,"port":...,"control":...} when both ports listen (on
// loopback, unless the provider gets another address), and exits when its standard input closes, so that it never outlives
// the test that started it. The first port is the provider itself: /token,
// /token/introspection, /token/revocation, /jwks, /.well-known/openid-configuration,
// and /documents/NAME, whatever the tests put there. The second belongs to the tests:
// what real providers do over months (rotate, retire, fall over) on command.
//
//   GET  /state                        {"jwks_fetches","introspections","document_fetches","held","mode","kids"}
//   GET  /await?fetches=N              answers when N JWKS fetches have come in, whatever became of them;
//                                      &introspections=N and &document_fetches=N alike
//   POST /mode {"mode":"up|refuse|hang|fail"}   refuse: no listener; hang: accept, answer at the next "up"; fail: 500
//   POST /publish                      new keys behind the others: known to all, and nothing signed with them
//   POST /rotate                       sign with the keys that were published last, or else with new ones
//   POST /retire                       forget all but the keys that sign
//   POST /move {"path"}                publish the key set there instead, as the metadata then say
//   POST /mint {"claims","header","alg","rogue"}  a token signed with the newest key, or
//                                      with `rogue` by a key no one published under the same kid
//   POST /expire {"token"}             an opaque token's time is over
//   POST /document {"name","text"}     what /documents/NAME is from now on

import http from 'node:http';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { SignJWT, exportJWK, generateKeyPair, importJWK } from 'jose';
import { Provider } from 'oidc-provider';

// The provider's notices; nobody reads standard output after its first line, and writing
// to a pipe without a reader would be the end.
console.info = console.error;

const { values: options } = parseArgs({
  options: {
    issuer: { type: 'string', default: 'https://idp.example.test' },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    tenancy: { type: 'string', default: `${import.meta.dirname}/tenancy.mjs` },
  },
});
const { clients, resources } = await import(pathToFileURL(resolve(options.tenancy)));
const scopes = new Set(Object.values(resources).flatMap((resource) => resource.scope.split(' ')));

const algorithms = ['RS256', 'ES256', 'EdDSA'];
let generations = [];
let jwksPath = '/jwks';
let provider;
let published = [];
let mode = 'up';
const counts = { jwks_fetches: 0, introspections: 0, document_fetches: 0 };
let held = [];
let waiting = [];
const documents = new Map();

// What the provider stores outlives its keys: a rotation builds another Provider, which
// must still know the opaque tokens of the one before.
const records = new Map();
class Memory {
  constructor(model) {
    this.key = (id) => `${model}:${id}`;
  }
  async upsert(id, payload) {
    records.set(this.key(id), payload);
  }
  async find(id) {
    return records.get(this.key(id));
  }
  async destroy(id) {
    records.delete(this.key(id));
  }
  async consume(id) {
    records.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }
  async revokeByGrantId(grantId) {
    for (const [key, payload] of records) if (payload.grantId === grantId) records.delete(key);
  }
}

async function keysOfGeneration(number) {
  return Promise.all(
    algorithms.map(async (alg) => {
      const { privateKey } = await generateKeyPair(alg, { extractable: true });
      const jwk = await exportJWK(privateKey);
      return { ...jwk, alg, use: 'sig', kid: `${alg.toLowerCase()}-${number}` };
    }),
  );
}

function rebuild() {
  const fresh = new Provider(options.issuer, {
    adapter: Memory,
    clients,
    jwks: { keys: [...generations, ...published].flat() },
    routes: { jwks: jwksPath },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    scopes: [...scopes],
    extraTokenClaims: (_ctx, token) => token.client?.['x-claims'] ?? {},
    extraClientMetadata: { properties: ['x-claims'] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => Object.keys(resources)[0],
        getResourceServerInfo: (_ctx, indicator) => resources[indicator],
      },
    },
  });
  fresh.proxy = true;
  provider = fresh.callback();
}

async function publish() {
  published.push(await keysOfGeneration(nextGeneration++));
  rebuild();
}

async function rotate() {
  if (!published.length) published.push(await keysOfGeneration(nextGeneration++));
  generations = [...published.reverse(), ...generations];
  published = [];
  rebuild();
}
let nextGeneration = 1;

function counterOf(path) {
  if (path === jwksPath) return 'jwks_fetches';
  if (path === '/token/introspection') return 'introspections';
  return path.startsWith('/documents/') ? 'document_fetches' : undefined;
}

function serve(request, response) {
  const path = request.url.split('?')[0];
  if (!path.startsWith('/documents/')) return provider(request, response);
  const text = documents.get(path.slice('/documents/'.length));
  if (text === undefined) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': 'application/json' }).end(text);
}

function answerAsProvider(request, response) {
  const counter = counterOf(request.url.split('?')[0]);
  if (counter) {
    counts[counter] += 1;
    waiting = waiting.filter((waiter) => !waiter());
  }
  if (mode === 'hang') {
    held.push(() => serve(request, response));
  } else if (mode === 'fail') {
    response.writeHead(500).end();
  } else {
    serve(request, response);
  }
}

const door = http.createServer(answerAsProvider);

async function enter(next) {
  if (next === mode) return;
  if (next === 'refuse') {
    await new Promise((done) => {
      door.close(done);
      door.closeAllConnections();
    });
  } else if (mode === 'refuse') {
    await listen(door, port, options.host);
  }
  mode = next;
  if (mode !== 'hang') {
    const queue = held;
    held = [];
    for (const answer of queue) answer();
  }
}

async function mint({ claims, header = {}, alg = 'RS256', rogue = false }) {
  const signing = generations[0].find((key) => key.alg === alg);
  const key = rogue
    ? (await generateKeyPair(alg)).privateKey
    : await importJWK(signing, alg);
  return new SignJWT(claims)
    .setProtectedHeader({ alg, kid: signing.kid, typ: 'at+jwt', ...header })
    .sign(key);
}

const control = http.createServer(async (request, response) => {
  const answer = (status, value) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  const state = () => ({
    ...counts,
    held: held.length,
    mode,
    kids: [...generations, ...published].flat().map((key) => key.kid),
  });
  try {
    let text = '';
    for await (const chunk of request) text += chunk;
    const body = text ? JSON.parse(text) : {};
    const url = new URL(request.url, 'http://control');
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /state':
        return answer(200, state());
      case 'GET /await': {
        const wanted = (name, parameter = name) =>
          counts[name] >= Number(url.searchParams.get(parameter) ?? 0);
        const came = () =>
          wanted('jwks_fetches', 'fetches') && wanted('introspections') && wanted('document_fetches');
        const waiter = () => came() && (answer(200, state()), true);
        if (!waiter()) waiting.push(waiter);
        return;
      }
      case 'POST /mode':
        await enter(body.mode);
        return answer(200, state());
      case 'POST /publish':
        await publish();
        return answer(200, state());
      case 'POST /rotate':
        await rotate();
        return answer(200, state());
      case 'POST /retire':
        generations = generations.slice(0, 1);
        published = [];
        rebuild();
        return answer(200, state());
      case 'POST /move':
        jwksPath = body.path;
        rebuild();
        return answer(200, state());
      case 'POST /expire': {
        // A token by the client credentials grant is stored under its own text.
        const stored = records.get(`ClientCredentials:${body.token}`);
        if (!stored) return answer(404, { error: 'no such token' });
        stored.exp = Math.floor(Date.now() / 1000) - 1;
        return answer(200, state());
      }
      case 'POST /document':
        documents.set(body.name, body.text);
        return answer(200, state());
      case 'POST /mint':
        return answer(200, { token: await mint(body) });
      default:
        return answer(404, { error: `no such control: ${request.method} ${url.pathname}` });
    }
  } catch (error) {
    answer(500, { error: String(error) });
  }
});

function listen(server, at, host) {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(at, host, () => {
      server.removeListener('error', failed);
      done(server.address().port);
    });
  });
}

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

await rotate();
const port = await listen(door, Number(options.port), options.host);
const controlPort = await listen(control, 0, '127.0.0.1');
console.log(JSON.stringify({ ready: true, port, control: controlPort }));
