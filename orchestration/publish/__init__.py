"""What people look at: the report, made of the marts."""
