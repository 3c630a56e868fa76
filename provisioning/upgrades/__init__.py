"""What an upgrade looks at: who uses what will be gone, what it was like before, and how far it has come."""
