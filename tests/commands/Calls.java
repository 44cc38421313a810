import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Calls Kafka's tools in one JVM, which saves the start of one for each call.
 *
 * <p>A line of standard input is a call: the words and the standard input in base64, separated by blanks; the first word is the
 * class. The answer is a line too: the exit code, standard output and standard error in base64.
 */
public final class Calls {
    /** Thrown in place of an exit. */
    private static final class Ended extends Error {
        Ended() {
            super("exit", null, false, false);
        }
    }

    private static final List<Runnable> hooks = new ArrayList<>();

    /** The code of the first exit: a tool that catches everything exits once more. */
    private static Integer exitCode;

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        Exit.setExitProcedure((code, message) -> exit(code));
        Exit.setHaltProcedure((code, message) -> exit(code));
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        BufferedReader calls = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = calls.readLine()) != null; ) {
            List<byte[]> words = new ArrayList<>();
            for (String word : line.split(" ", -1)) words.add(Base64.getDecoder().decode(word));
            answers.println(call(words));
            answers.flush();
        }
    }

    private static void exit(int code) {
        if (exitCode == null) exitCode = code;
        throw new Ended();
    }

    private static String call(List<byte[]> words) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream(), error = new ByteArrayOutputStream();
        System.setOut(new PrintStream(out, true));
        System.setErr(new PrintStream(error, true));
        System.setIn(new ByteArrayInputStream(words.get(words.size() - 1)));
        List<String> arguments = new ArrayList<>();
        for (byte[] word : words.subList(1, words.size() - 1)) arguments.add(new String(word, "UTF-8"));
        int code = run(new String(words.get(0), "UTF-8"), arguments.toArray(new String[0]));
        System.out.flush();
        Base64.Encoder base64 = Base64.getEncoder();
        return code + " " + base64.encodeToString(out.toByteArray()) + " " + base64.encodeToString(error.toByteArray());
    }

    private static int run(String tool, String[] arguments) throws Exception {
        exitCode = null;
        int code = 0;
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Ended)) {
                thrown.getCause().printStackTrace();
                code = 1;
            }
        }
        if (exitCode != null) code = exitCode;
        hooks.forEach(Runnable::run);
        hooks.clear();
        return code;
    }
}
