/**
 * What keeps a page of this server to itself: nothing from elsewhere, no script in its text, no frame around it. Text
 * of a model that slipped through as HTML could do nothing.
 */
export const securePage = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};
