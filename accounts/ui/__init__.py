"""The pages for people: signing in, one's account, allowing a device. Django templates, no script needed."""
