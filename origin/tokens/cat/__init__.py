"""Common Access Tokens (CTA-5007): claims in CBOR, signed by COSE."""
