// A service behind the gateway that believes nobody but the gateway: it verifies the
// gateway's assertion with a library that the gateway's authors did not write.
//
//   node verify.mjs --jwks URL --issuer ISSUER --audience AUDIENCE < assertion
//
// prints {"header","claims"}, or fails and says why.

import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const { values: expected } = parseArgs({
  options: {
    jwks: { type: 'string' },
    issuer: { type: 'string' },
    audience: { type: 'string' },
  },
});
const keys = createRemoteJWKSet(new URL(expected.jwks));
const assertion = (await text(process.stdin)).trim();
try {
  const { payload, protectedHeader } = await jwtVerify(assertion, keys, {
    issuer: expected.issuer,
    audience: expected.audience,
    typ: 'portcullis-assertion+jwt',
    algorithms: ['ES256', 'EdDSA'],
    requiredClaims: ['iat', 'exp', 'jti'],
  });
  console.log(JSON.stringify({ header: protectedHeader, claims: payload }));
} catch (error) {
  console.error(error.code ?? error.message);
  process.exit(1);
}
