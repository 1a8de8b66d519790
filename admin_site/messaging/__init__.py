"""Mail, SMS and webhooks: no channels yet."""
