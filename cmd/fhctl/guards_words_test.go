package main

// inTexts is what the guard of command line words says.
const inTexts = "texts that name a flag or a command"

// commandLineWordsToday is how many texts of libraries name flags or commands, by file.
// None of them is ours.
var commandLineWordsToday = map[finding]int{
	{"pkg/redisstream/conn/url.go", inTexts}: 1, // of redis-cli
}
