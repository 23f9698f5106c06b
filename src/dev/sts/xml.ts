import type { StsError } from './errors.ts';

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** The elements of a result: texts, or further elements. */
export interface XmlElements {
  readonly [name: string]: string | number | XmlElements;
}

/** A successful answer of the query protocol: `<ActionResponse><ActionResult>...`. */
export function resultXml(action: string, result: XmlElements, requestId: string): string {
  const body = toXml({ [`${action}Result`]: result, ResponseMetadata: { RequestId: requestId } });
  return `<${action}Response xmlns="${NAMESPACE}">${body}</${action}Response>`;
}

/** A refusal of the query protocol: `<ErrorResponse><Error>...`. */
export function errorXml(error: StsError, requestId: string): string {
  const type = error.status >= 500 ? 'Receiver' : 'Sender';
  const body = toXml({ Error: { Type: type, Code: error.code, Message: error.message }, RequestId: requestId });
  return `<ErrorResponse xmlns="${NAMESPACE}">${body}</ErrorResponse>`;
}

function toXml(elements: XmlElements): string {
  return Object.entries(elements)
    .map(
      ([name, content]) =>
        `<${name}>${typeof content === 'object' ? toXml(content) : escapeText(String(content))}</${name}>`,
    )
    .join('');
}

function escapeText(text: string): string {
  return text.replace(/[<>&"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
