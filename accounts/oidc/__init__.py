"""Sign-in by OpenID Connect: which issuers are configured, what they say of a person, and whose account that is."""
