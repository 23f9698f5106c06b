/**
 * The name that requests to an AWS endpoint are signed for (AWS Signature Version 4, credential scope), where it is not the
 * first part of the endpoint's name: the "signing name" of the service's model.
 */
const SIGNING_NAMES: Readonly<Record<string, string>> = {
  'api.ecr': 'ecr',
  'api.sagemaker': 'sagemaker',
  'bedrock-agent': 'bedrock',
  'bedrock-agent-runtime': 'bedrock',
  'bedrock-runtime': 'bedrock',
  'data.iot': 'iotdata',
  email: 'ses',
  'runtime.lex': 'lex',
  'runtime.sagemaker': 'sagemaker',
  's3-control': 's3',
  'streams.dynamodb': 'dynamodb',
};

/** `SERVICE.REGION.amazonaws.com`, `.amazonaws.com.cn` and the endpoints of both IP versions, `SERVICE.REGION.api.aws`. */
const REGIONAL_ENDPOINT = /^([a-z0-9.-]+?)\.[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/;

/** Endpoints of one bucket or one API have its name first. */
const OF_A_RESOURCE = /^[a-z0-9.-]+\.(s3|execute-api)$/;

/**
 * The signing name of the service behind a regional endpoint of AWS.
 * @param host in lower case
 * @returns `undefined` where the name of the host does not tell
 */
export function awsSigningName(host: string): string | undefined {
  const [, endpoint] = REGIONAL_ENDPOINT.exec(host) ?? [];
  if (endpoint === undefined) return undefined;
  const service = endpoint.replace(/-fips$/, '');
  if (Object.hasOwn(SIGNING_NAMES, service)) return SIGNING_NAMES[service];
  const [, ofResource] = OF_A_RESOURCE.exec(service) ?? [];
  return ofResource ?? (service.includes('.') ? undefined : service);
}
