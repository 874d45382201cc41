"""What a setting's value may be: one rule per file. They know neither the settings nor Pulumi's resources."""
