// An OAuth identity provider for the tests: a real one (oidc-provider), because
// tokens made by the code under test would share its mistakes.
//
//   node server.mjs [--issuer URL] [--host ADDRESS] [--port PORT] [--tenancy FILE]
//
// prints {"ready":true,"port":...,"control":...} when both ports listen (on
// loopback, unless the provider gets another address), and exits when its standard input closes, so that it never outlives
// the test that started it. The first port is the provider itself: /token,
// /jwks, /.well-known/openid-configuration. The second belongs to the tests:
// what real providers do over months (rotate, retire, fall over) on command.
//
//   GET  /state                        {"jwks_fetches","held","mode","kids"}
//   GET  /await?fetches=N              answers when N JWKS fetches have come in, whatever became of them
//   POST /mode {"mode":"up|refuse|hang|fail"}   refuse: no listener; hang: accept, answer at the next "up"; fail: 500
//   POST /rotate                       new keys in front of the old ones
//   POST /retire                       forget all but the newest keys
//   POST /move {"path"}                publish the key set there instead, as the metadata then say
//   POST /mint {"claims","header","alg","rogue"}  a token signed with the newest key, or
//                                      with `rogue` by a key no one published under the same kid

import http from 'node:http';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { SignJWT, exportJWK, generateKeyPair, importJWK } from 'jose';
import { Provider } from 'oidc-provider';

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
let mode = 'up';
let fetches = 0;
let held = [];
let waiting = [];

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
    clients,
    jwks: { keys: generations.flat() },
    routes: { jwks: jwksPath },
    clientAuthMethods: ['client_secret_basic'],
    scopes: [...scopes],
    extraTokenClaims: (_ctx, token) => token.client?.['x-claims'] ?? {},
    extraClientMetadata: { properties: ['x-claims'] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
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

async function rotate() {
  generations = [await keysOfGeneration(nextGeneration++), ...generations];
  rebuild();
}
let nextGeneration = 1;

function answerAsProvider(request, response) {
  if (request.url.split('?')[0] === jwksPath) {
    fetches += 1;
    waiting = waiting.filter((waiter) => !waiter());
  }
  if (mode === 'hang') {
    held.push(() => provider(request, response));
  } else if (mode === 'fail') {
    response.writeHead(500).end();
  } else {
    provider(request, response);
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
  const published = generations[0].find((key) => key.alg === alg);
  const key = rogue
    ? (await generateKeyPair(alg)).privateKey
    : await importJWK(published, alg);
  return new SignJWT(claims)
    .setProtectedHeader({ alg, kid: published.kid, typ: 'at+jwt', ...header })
    .sign(key);
}

const control = http.createServer(async (request, response) => {
  const answer = (status, value) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  const state = () => ({
    jwks_fetches: fetches,
    held: held.length,
    mode,
    kids: generations.flat().map((key) => key.kid),
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
        const wanted = Number(url.searchParams.get('fetches'));
        const waiter = () => fetches >= wanted && (answer(200, state()), true);
        if (!waiter()) waiting.push(waiter);
        return;
      }
      case 'POST /mode':
        await enter(body.mode);
        return answer(200, state());
      case 'POST /rotate':
        await rotate();
        return answer(200, state());
      case 'POST /retire':
        generations = generations.slice(0, 1);
        rebuild();
        return answer(200, state());
      case 'POST /move':
        jwksPath = body.path;
        rebuild();
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
