"""What happens to money: cards, invoices, subscriptions, disputes and what falls due."""
