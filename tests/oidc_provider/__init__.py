"""A real OpenID provider (django-oauth-toolkit) in a process of its own: `python -m tests.oidc_provider PORT FOLDER`.

It has one client, `marina`, and whoever the tests tell it of by POST /people. What a test cannot reach by the protocol
itself (a person's groups, an answer that is wrong) it sets by POST /people and POST /behaviour.
"""
