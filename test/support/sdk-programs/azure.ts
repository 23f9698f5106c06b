import { DefaultAzureCredential, ManagedIdentityCredential } from '@azure/identity';

// A program that knows nothing of us. Arguments: which credential, the scope, and a client ID for the second kind.
const [kind, scope = '', clientId] = process.argv.slice(2);
const credential =
  kind === 'default'
    ? new DefaultAzureCredential()
    : clientId === undefined
      ? new ManagedIdentityCredential()
      : new ManagedIdentityCredential(clientId);
try {
  const { token, expiresOnTimestamp } = await credential.getToken(scope);
  process.stdout.write(`${JSON.stringify({ token, expiresOnTimestamp })}\n`);
} catch (error) {
  const { name, message } = Object(error);
  process.stdout.write(`${JSON.stringify({ name, message })}\n`);
}
