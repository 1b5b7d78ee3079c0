// Who may ask the test provider for tokens, and for which API.

// The same API under one audience; the resource that a client names chooses how
// its access token is signed.
const api = (alg) => ({
  scope: 'orders:read orders:write customers:personal customers:financial',
  audience: 'https://shop.example.test',
  accessTokenFormat: 'jwt',
  accessTokenTTL: 600,
  jwt: { sign: { alg } },
});

// Tokens that say nothing by themselves, to be introspected.
const opaque = {
  scope: 'orders:read orders:write customers:personal customers:financial',
  accessTokenFormat: 'opaque',
  accessTokenTTL: 600,
};

export const resources = {
  'https://shop.example.test/rs256': api('RS256'),
  'https://shop.example.test/es256': api('ES256'),
  'https://shop.example.test/eddsa': api('EdDSA'),
  'https://shop.example.test/opaque': { ...opaque, audience: 'https://shop.example.test' },
  'https://elsewhere.example.test/opaque': { ...opaque, audience: 'https://elsewhere.example.test' },
  'https://elsewhere.example.test': { ...api('RS256'), audience: 'https://elsewhere.example.test' },
};

const client = (name, scope, claims = {}) => ({
  client_id: name,
  client_secret: `${name}-secret`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope,
  'x-claims': claims,
});

export const clients = [
  client('storefront', 'orders:read orders:write'),
  client('support', 'orders:read customers:personal', { department: 'support' }),
  client('billing', 'orders:read customers:personal customers:financial'),
  client('warehouse', 'orders:read'),
  client('stranger', ''),
  // Gateways, which may ask about the tokens of all the others.
  client('gateway'),
  { ...client('gateway-post'), token_endpoint_auth_method: 'client_secret_post' },
  { ...client('gateway:odd'), client_secret: 'a secret: 100% + "odd"' },
  ...Array.from({ length: 8 }, (_, i) => client(`crowd-${i}`, 'orders:read orders:write')),
];
