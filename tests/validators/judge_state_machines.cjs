// Reads a list of definitions in Amazon States Language, and answers for each what asl-validator and statelint say.
const fs = require("node:fs");
const judgeBySchema = require("asl-validator");
const judgeByRules = require("@wmfs/statelint")();

// As texts: asl-validator adds to what it judges.
const texts = JSON.parse(fs.readFileSync(0, "utf8")).map((definition) => JSON.stringify(definition));
const answers = texts.map((text) => {
  const { isValid, errors } = judgeBySchema(JSON.parse(text));
  return {
    "asl-validator": isValid ? [] : errors.map((error) => `${error["Error code"]}: ${error.Message}`),
    statelint: judgeByRules.validate(JSON.parse(text)),
  };
});
console.log(JSON.stringify(answers));
