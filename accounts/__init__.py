"""Users, organizations, teams, projects and who may do what in them."""
