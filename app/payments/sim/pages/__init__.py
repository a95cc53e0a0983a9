"""What a person sees: checkout, 3-D Secure, portal and invoice."""
