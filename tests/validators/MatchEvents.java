import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import software.amazon.event.ruler.Ruler;

/** Reads lines of {"pattern": ..., "event": ...}, and answers each with true or false, or with what is wrong. */
public class MatchEvents {
  public static void main(String[] arguments) throws Exception {
    ObjectMapper json = new ObjectMapper();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonNode question = json.readTree(line);
      String answer;
      try {
        answer = String.valueOf(Ruler.matchesRule(question.get("event").toString(), question.get("pattern").toString()));
      } catch (Exception problem) {
        answer = problem.getMessage().replace('\n', ' ');
      }
      System.out.println(answer);
    }
  }
}
