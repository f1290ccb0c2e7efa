"""What a bot learns from its conversations: new questions in groups, answers that agents gave, how a week went."""
