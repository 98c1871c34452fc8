import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import software.amazon.event.ruler.JsonRuleCompiler;
import software.amazon.event.ruler.Ruler;

/**
 * Reads lines of {"pattern": ..., "event": ...}, both JSON in a text, and answers each with true or false, or with what
 * is wrong with the pattern. Without an event it answers what is wrong with the pattern, or true.
 */
public class MatchEvents {
  public static void main(String[] arguments) throws Exception {
    ObjectMapper json = new ObjectMapper();
    PrintStream answers = new PrintStream(System.out, true, "UTF-8");
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonNode question = json.readTree(line);
      String pattern = question.get("pattern").asText();
      String answer = JsonRuleCompiler.check(pattern);
      if (answer == null) {
        answer = question.has("event")
            ? String.valueOf(Ruler.matchesRule(question.get("event").asText(), pattern))
            : "true";
      }
      // What follows is where, in lines of their own.
      answers.println(answer.split("\n")[0].trim());
    }
  }
}
